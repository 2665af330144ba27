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
}
