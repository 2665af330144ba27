package org.calm4j.calm.metric;

import com.fasterxml.jackson.annotation.JsonFormat;
import com.fasterxml.jackson.annotation.JsonPropertyOrder;
import java.util.Collection;
import org.apache.commons.math3.distribution.NormalDistribution;
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
     * Wilson's interval of a share where trials come in groups whose outcomes are alike: of as many independent trials as would vary as
     * much (Kish 1965, the design effect). With one trial a group it is {@link #wilson(int, int)}.
     *
     * @param groups successes and trials of each
     * @return null when there was no trial
     */
    static Interval wilson(Collection<int[]> groups) {
        int successes = groups.stream().mapToInt(group -> group[0]).sum();
        int trials = groups.stream().mapToInt(group -> group[1]).sum();
        if (groups.stream().allMatch(group -> group[1] <= 1)) {
            return wilson(successes, trials);
        }
        long filled = groups.stream().filter(group -> group[1] > 0).count();
        double share = (double) successes / trials;
        double squares = groups.stream()
                .mapToDouble(group -> Math.pow(group[0] - share * group[1], 2))
                .sum();
        // The variance of a ratio; where nothing varies, or there is one group, nothing says that a group is more than
        // one trial.
        double variance = squares * filled / (filled - 1) / trials / trials;
        double independent = variance > 0 ? Math.min(trials, share * (1 - share) / variance) : filled;
        double z = new NormalDistribution().inverseCumulativeProbability((1 + LEVEL) / 2);
        double scale = 1 / (1 + z * z / independent);
        double middle = share + z * z / (2 * independent);
        double reach = z * Math.sqrt(share * (1 - share) / independent + z * z / (4 * independent * independent));
        return new Interval(
                successes == 0 ? 0 : scale * (middle - reach), successes == trials ? 1 : scale * (middle + reach));
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
