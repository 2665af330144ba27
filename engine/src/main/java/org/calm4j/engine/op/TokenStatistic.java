package org.calm4j.engine.op;

/** What a row of logits says beside its target's log-probability: the columns of {@code statistics} in {@link Backend#tokenLogProbForward}. */
public enum TokenStatistic {
    /** {@code log Σ p²}, the log-probability that two words drawn from the row are the same. */
    LOG_SUM_SQUARES,
    /** {@code −Σ p·log p}, in nats. */
    ENTROPY,
    /** The largest logit less the target's: 0 where no word is more probable than the target. */
    BEHIND,
    /** The mean of the logits. */
    MEAN_LOGIT;

    public static final int COUNT = values().length;

    /** Of a target out of the statistics of many. */
    public double of(double[] statistics, int target) {
        return statistics[COUNT * target + ordinal()];
    }

    /** Over the targets {@code from} to below {@code to}. */
    public double sum(double[] statistics, int from, int to) {
        double sum = 0;
        for (int i = from; i < to; i++) {
            sum += of(statistics, i);
        }
        return sum;
    }
}
