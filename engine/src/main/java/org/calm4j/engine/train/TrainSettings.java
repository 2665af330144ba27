package org.calm4j.engine.train;

import org.calm4j.engine.loss.ConsistencyLoss;
import org.calm4j.engine.loss.PreferenceLoss;
import org.calm4j.engine.loss.UnpairedLoss;
import org.calm4j.engine.op.AdamW;
import org.calm4j.engine.train.optim.OptimizerMemory;
import org.calm4j.engine.train.optim.Schedule;
import org.calm4j.engine.train.optim.UpdateSettings;

/**
 * The settings of a training run, besides model and data.
 *
 * @param batchSize lines an optimizer step
 * @param microBatchSize lines a forward and backward pass; 0: as many as fit into {@link Trainer#MICRO_BATCH_ROWS} rows
 * @param weightDecay for tensors of two or more dimensions
 * @param maxGradNorm the global norm above which gradients are scaled down; 0 for no clipping
 * @param preferenceLoss for lines that are pairs; null without
 * @param consistencyLoss for lines that are pairs in two languages; null without
 * @param unpairedLoss for lines that are single completions; null without
 * @param beta the factor of logged rewards
 * @param ldAlpha what a completion's tokens past the length of the pair's shorter one count in its log-probability (LD-DPO, Liu et al. 2024,
 *     arXiv 2409.06411); 1 as much as the others
 * @param replayBatchSize documents that every step adds; 0 without
 * @param seed of the data order and of dropout
 * @param update how a step changes the weights
 * @param packing how a step's lines are put into passes, besides {@code microBatchSize}
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
        UnpairedLoss unpairedLoss,
        double beta,
        double ldAlpha,
        int replayBatchSize,
        double replayWeight,
        boolean gradientCheckpointing,
        long seed,
        UpdateSettings update,
        Packing packing) {

    /** With the default {@link UpdateSettings} and {@link Packing}. */
    public TrainSettings(
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
            double ldAlpha,
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
                consistencyLoss,
                null,
                beta,
                ldAlpha,
                replayBatchSize,
                replayWeight,
                gradientCheckpointing,
                seed,
                UpdateSettings.DEFAULT,
                Packing.STANDARD);
    }

    /** Without pairs in two languages, every token counting alike. */
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
                1,
                replayBatchSize,
                replayWeight,
                gradientCheckpointing,
                seed);
    }

    /** The same with another packing. */
    public TrainSettings packed(Packing packing) {
        return with(microBatchSize, gradientCheckpointing, packing, update);
    }

    /** The same with moments that are kept so. */
    public TrainSettings keeping(OptimizerMemory memory) {
        return with(microBatchSize, gradientCheckpointing, packing, update.keeping(memory));
    }

    /** The same in passes of so many lines, with or without recomputation. */
    public TrainSettings inPasses(int microBatchSize, boolean gradientCheckpointing) {
        return with(microBatchSize, gradientCheckpointing, packing, update);
    }

    private TrainSettings with(
            int microBatchSize, boolean gradientCheckpointing, Packing packing, UpdateSettings update) {
        return new TrainSettings(
                batchSize,
                microBatchSize,
                shuffle,
                schedule,
                adamW,
                weightDecay,
                maxGradNorm,
                preferenceLoss,
                consistencyLoss,
                unpairedLoss,
                beta,
                ldAlpha,
                replayBatchSize,
                replayWeight,
                gradientCheckpointing,
                seed,
                update,
                packing);
    }
}
