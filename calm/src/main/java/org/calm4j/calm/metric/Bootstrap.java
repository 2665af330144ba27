package org.calm4j.calm.metric;

import java.util.function.ToDoubleFunction;
import org.apache.commons.math3.stat.descriptive.rank.Percentile;
import org.calm4j.engine.random.CounterRandom;

/**
 * Percentile bootstrap over questions (Efron &amp; Tibshirani 1993, chapter 13). A question is drawn with its answers in all languages, so the
 * dependence between languages stays in the interval.
 */
final class Bootstrap {
    static final int RESAMPLES = 2000;

    private Bootstrap() {}

    /**
     * The interval of a statistic; resamples where it is NaN don't count.
     *
     * @param n questions
     * @param seed the same seed draws the same resamples, so intervals of two statistics belong together
     * @param statistic from the numbers of the questions drawn (n of them, with repeats) to a value
     * @param least that a question's value can be; the greatest is 1
     * @return null when the statistic has no value in any resample
     */
    static Interval interval(int n, long seed, ToDoubleFunction<int[]> statistic, double least) {
        long key = CounterRandom.seed(seed, "bootstrap");
        double[] values = new double[RESAMPLES];
        int[] drawn = new int[n];
        int kept = 0;
        for (int r = 0; r < RESAMPLES; r++) {
            long resample = CounterRandom.seed(key, r);
            for (int i = 0; i < n; i++) {
                drawn[i] = CounterRandom.below(resample, i, n);
            }
            double value = statistic.applyAsDouble(drawn);
            if (!Double.isNaN(value)) {
                values[kept++] = value;
            }
        }
        if (kept == 0) {
            return null;
        }
        Percentile percentile = new Percentile().withEstimationType(Percentile.EstimationType.R_7);
        percentile.setData(values, 0, kept);
        double tail = 50 * (1 - Interval.LEVEL);
        double low = percentile.evaluate(tail);
        double high = percentile.evaluate(100 - tail);
        // Sums of the same numbers in another order may differ in the last bits.
        return high - low > 1e-12 ? new Interval(low, high) : Interval.unanimous(low, n, least);
    }
}
