package org.calm4j.engine.train;

import java.util.List;
import org.calm4j.engine.model.Activations;

/**
 * How large the lines of a training are, found once: lines may be read from a file each time that they are taken.
 *
 * @param lines that are trained on
 * @param replayed documents
 * @param evaluated lines, which do not change how the others are put into passes
 */
public record TrainingSizes(LineSizes lines, LineSizes replayed, LineSizes evaluated) {
    /** Of nothing. */
    static final TrainingSizes NONE = of(List.of(), Replay.NONE, List.of());

    public static TrainingSizes of(List<? extends Example> lines, Replay replay, List<? extends Example> evaluated) {
        return new TrainingSizes(LineSizes.of(lines), LineSizes.of(replay.documents()), LineSizes.of(evaluated));
    }

    /** What a pass of training holds, whatever the adapter. */
    Activations.Capacity passes(TrainSettings settings) {
        LineSizes all = lines.with(replayed);
        int maxTokens = settings.packing().maxTokens();
        int bound = Math.max(maxTokens > 0 ? maxTokens : Trainer.MICRO_BATCH_ROWS, all.mostRows());
        int rows;
        if (settings.microBatchSize() > 0) {
            rows = all.sumOfLargest(settings.microBatchSize());
            rows = maxTokens > 0 ? Math.min(rows, bound) : rows;
        } else {
            int inAStep = lines.sumOfLargest(settings.batchSize()) + replayed.sumOfLargest(settings.replayBatchSize());
            rows = Math.max(all.mostRows(), Math.min(bound, inAStep));
        }
        // A pair's prompt row scores two targets, and rows of a prompt may score none.
        int pairsAtMost = Math.min(rows, lines.pairs() * settings.batchSize());
        if (settings.packing().sharePrompts()) {
            // The row scores two for each pair.
            pairsAtMost *= 2;
        }
        int scored = Math.max(rows + pairsAtMost, all.scored());
        return new Activations.Capacity(rows, scored, all.longest(), 0, 0);
    }

    /** What passes of training and of evaluation hold. */
    Activations.Capacity capacity(TrainSettings settings) {
        Activations.Capacity passes = passes(settings);
        return new Activations.Capacity(
                Math.max(passes.rows(), evaluated.mostRows()),
                Math.max(passes.scored(), evaluated.scored()),
                Math.max(passes.positions(), evaluated.longest()),
                0,
                0);
    }
}
