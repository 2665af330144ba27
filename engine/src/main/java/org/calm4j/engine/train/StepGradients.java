package org.calm4j.engine.train;

import java.util.List;
import java.util.function.IntPredicate;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.tensor.Slab;
import org.calm4j.engine.tensor.Tensor;

/**
 * The gradients of a training step and of its lines, each alone: what a {@link Trainer} computes on its way, at the weights that it has. Only
 * {@link #take} changes it.
 */
public final class StepGradients {
    private final Trainer trainer;

    public StepGradients(Trainer trainer) {
        this.trainer = trainer;
    }

    /** Zeros, to be closed by the caller. */
    public TrainedVector vector() {
        return new TrainedVector(trainer.trained().weights());
    }

    /** Bytes of a vector. */
    public long bytes() {
        return trainer.trained().weights().bytes();
    }

    /** Numbers of the lines that a step takes, counted from 0. */
    public int[] lines(int step) {
        return trainer.lines(step);
    }

    /** The learning rate of a step, counted from 0. */
    public double learningRate(int step) {
        return trainer.settings().schedule().learningRate(step);
    }

    /** The factor on a step's gradient that clips its norm. */
    public double clip(double norm) {
        return Trainer.clip(norm, trainer.settings().maxGradNorm());
    }

    /** Whether a step replays documents beside its lines. */
    public boolean replays() {
        return trainer.settings().replayBatchSize() > 0;
    }

    /**
     * The part of some lines in the gradient of a step's loss, before clipping, with the step's dropout. Parts of lines sum to that of all.
     *
     * @param step counted from 0
     * @param lines by number; the documents that a step replays are number -1
     */
    public void ofStep(TrainedVector to, int step, IntPredicate lines) {
        trainer.gradient(step, lines);
        read(to);
    }

    /**
     * The gradient of one line's loss, its weight included, without dropout.
     *
     * @throws CalmException wrong usage: the loss compares the pairs of a step
     */
    public void ofLine(TrainedVector to, int line) {
        if (trainer.comparesPairs()) {
            throw CalmException.usage(
                    "the loss compares the pairs of a step, so that no line has a gradient of its own");
        }
        Example example = trainer.lines().get(line);
        trainer.gradient(example, line, example.weight());
        read(to);
    }

    /**
     * The gradient of the sum of a document's log-probabilities, without dropout.
     *
     * @param document one that the trainer has as an evaluation line, so that there is room for it
     */
    public void ofLogProbability(TrainedVector to, Example.Document document) {
        trainer.gradient(document, -1, -document.scored());
        read(to);
    }

    private void read(TrainedVector to) {
        to.set(trainer.backend(), trainer.trained().gradients().slab());
    }

    /**
     * What a step does to the weights.
     *
     * @param weights sum of the squares of each tensor before it
     * @param updates sum of the squares of each tensor's change
     */
    public record Taken(StepLog log, double[] weights, double[] updates) {}

    /** Takes a step, counted from 0. */
    public Taken take(int step) {
        Slab weights = trainer.trained().weights();
        try (TrainedVector before = vector();
                TrainedVector after = vector()) {
            before.set(trainer.backend(), weights);
            StepLog log = trainer.step(step);
            after.set(trainer.backend(), weights);
            return new Taken(log, before.squares(), after.squaredDistances(before));
        }
    }

    /** The trained tensors, in the order of a vector's. */
    public List<Tensor> tensors() {
        return List.copyOf(trainer.trained().weights().tensors());
    }
}
