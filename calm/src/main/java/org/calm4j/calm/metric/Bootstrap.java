package org.calm4j.calm.metric;

import it.unimi.dsi.fastutil.ints.IntArrayList;
import java.util.function.ToDoubleFunction;
import org.apache.commons.math3.stat.descriptive.rank.Percentile;
import org.calm4j.engine.random.CounterRandom;

/**
 * Percentile bootstrap over groups of questions (Efron &amp; Tibshirani 1993, chapter 13; groups as Cameron, Gelbach &amp; Miller 2008). A
 * question is drawn with its answers in all languages and with all questions of its group, so what they have in common stays in the
 * interval: three questions about one fact say less than three about three.
 */
final class Bootstrap {
    static final int RESAMPLES = 2000;

    private Bootstrap() {}

    /**
     * The interval of a statistic; resamples where it is NaN do not count.
     *
     * @param groups the numbers of the questions of each group
     * @param seed the same seed draws the same resamples, so intervals of two statistics belong together
     * @param statistic from the numbers of the questions drawn (of as many groups as there are, with repeats) to a value
     * @param least that a question's value can be; the greatest is 1
     * @return null when the statistic has no value in any resample
     */
    static Interval interval(int[][] groups, long seed, ToDoubleFunction<int[]> statistic, double least) {
        long key = CounterRandom.seed(seed, "bootstrap");
        double[] values = new double[RESAMPLES];
        int n = groups.length;
        IntArrayList drawn = new IntArrayList();
        int kept = 0;
        for (int r = 0; r < RESAMPLES; r++) {
            long resample = CounterRandom.seed(key, r);
            drawn.clear();
            for (int i = 0; i < n; i++) {
                drawn.addElements(drawn.size(), groups[CounterRandom.below(resample, i, n)]);
            }
            double value = statistic.applyAsDouble(drawn.toIntArray());
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
