package org.calm4j.engine.train;

import java.util.List;
import java.util.Map;
import org.calm4j.engine.model.Gradients;
import org.calm4j.engine.model.PackedBatch;
import org.calm4j.engine.model.Tap;

/** Watches the steps of a {@link Trainer}, such as for statistics or as a guard, and leaves what they compute as it is. */
public interface StepObserver {
    /** Watches nothing. */
    StepObserver NONE = step -> Map.of();

    /**
     * A line's part in a step.
     *
     * @param line its number in the data, from 0; -1 for a replayed document
     * @param factor of its loss in the step's loss
     * @param loss its own, before the factor
     * @param margins of the rewards of its pairs: one of a pair, two of a pair in two languages, none of a document
     */
    record Line(int line, double factor, double loss, List<Double> margins) {}

    /** A step whose gradient is complete and whose update is still to come. */
    interface Step {
        /** Counted from 1, as in metrics.jsonl. */
        int number();

        double loss();

        /** Global, before clipping. */
        double gradientNorm();

        /** In the order in which they were packed. */
        List<Line> lines();

        /** The gradient, which must not be changed. */
        Gradients gradients();

        /**
         * Computes a gradient anew from some of the step's lines: of {@code Σ scale · factor · loss}. From all of them with scales of 1 it is
         * the step's own up to rounding, without dropout; dropout drops anew.
         *
         * @param places indices in {@link #lines}, in ascending order
         * @param scales one for each
         * @param to is set; {@link Gradients#like} has the memory
         */
        void gradient(int[] places, double[] scales, Gradients to);
    }

    /**
     * A tap for one pass of a step, forward and backward; it must not change what it sees. Training has no memory for logits: it cannot want them.
     *
     * @param step counted from 1
     * @param pass counted from 0, a micro-batch each
     * @return null for none, which costs nothing
     */
    default Tap tap(int step, int pass, PackedBatch batch) {
        return null;
    }

    /** Returns what is added to the step's line in metrics.jsonl, by name; a step with anything to add has a line. */
    Map<String, Object> observe(Step step);

    /** What it has to remember from step to step, for a checkpoint; empty for nothing. */
    default Map<String, Double> state() {
        return Map.of();
    }

    /** Goes on from a checkpoint's state; empty where the checkpoint was made without an observer. */
    default void resume(Map<String, Double> state) {}
}
