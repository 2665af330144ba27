package org.calm4j.engine.train;

import org.calm4j.engine.loss.ConsistencyLoss;
import org.calm4j.engine.loss.PreferenceLoss;
import org.calm4j.engine.op.AdamW;

/**
 * The settings of a training run, besides model and data.
 *
 * @param batchSize lines an optimizer step
 * @param microBatchSize lines a forward and backward pass; 0: as many as fit into {@link Trainer#MICRO_BATCH_ROWS} rows
 * @param weightDecay for tensors of two or more dimensions
 * @param maxGradNorm the global norm above which gradients are scaled down; 0 for no clipping
 * @param preferenceLoss for lines that are pairs; null without
 * @param consistencyLoss for lines that are pairs in two languages; null without
 * @param beta the factor of logged rewards
 * @param replayBatchSize documents that every step adds; 0 without
 * @param seed of the data order and of dropout
 */
public record TrainSettings(
        int batchSize,
        int microBatchSize,
        boolean shuffle,
        Schedule schedule,
        AdamW adamW,
        double weightDecay,
        double maxGradNorm,
        PreferenceLoss preferenceLoss,
        ConsistencyLoss consistencyLoss,
        double beta,
        int replayBatchSize,
        double replayWeight,
        boolean gradientCheckpointing,
        long seed) {

    /** Without pairs in two languages. */
    public TrainSettings(
            int batchSize,
            int microBatchSize,
            boolean shuffle,
            Schedule schedule,
            AdamW adamW,
            double weightDecay,
            double maxGradNorm,
            PreferenceLoss preferenceLoss,
            double beta,
            int replayBatchSize,
            double replayWeight,
            boolean gradientCheckpointing,
            long seed) {
        this(
                batchSize,
                microBatchSize,
                shuffle,
                schedule,
                adamW,
                weightDecay,
                maxGradNorm,
                preferenceLoss,
                null,
                beta,
                replayBatchSize,
                replayWeight,
                gradientCheckpointing,
                seed);
    }
}
