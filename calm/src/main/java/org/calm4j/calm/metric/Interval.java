package org.calm4j.calm.metric;

import com.fasterxml.jackson.annotation.JsonFormat;
import com.fasterxml.jackson.annotation.JsonPropertyOrder;
import org.apache.commons.math3.stat.interval.ConfidenceInterval;
import org.apache.commons.math3.stat.interval.WilsonScoreInterval;

/** A 95 % confidence interval; in JSON {@code [low, high]}. */
@JsonFormat(shape = JsonFormat.Shape.ARRAY)
@JsonPropertyOrder({"low", "high"})
public record Interval(double low, double high) {
    public static final double LEVEL = 0.95;

    /** Wilson's score interval of a share; null when there was no trial. */
    public static Interval wilson(int successes, int trials) {
        if (trials == 0) {
            return null;
        }
        ConfidenceInterval interval = new WilsonScoreInterval().createInterval(trials, successes, LEVEL);
        // The formula's rounding leaves [0,1] by an ulp at 0 and at n successes.
        return new Interval(
                successes == 0 ? 0 : interval.getLowerBound(), successes == trials ? 1 : interval.getUpperBound());
    }

    /**
     * The interval of a mean where all n values are the same: other values, of which Wilson's interval leaves a share, may be anything.
     *
     * @param least that a value can be; the greatest is 1
     */
    static Interval unanimous(double value, int n, double least) {
        double others = wilson(0, n).high;
        return new Interval((1 - others) * value + others * least, (1 - others) * value + others);
    }
}
