package org.calm4j.engine.train;

import java.util.BitSet;
import java.util.List;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.Gradients;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.tensor.Slab;
import org.calm4j.engine.tensor.Tensor;

/** What is trained: all parameters or the adapter alone, with gradients and moments of the same shapes, each in one slab. */
final class Trained implements AutoCloseable {
    private final Backend backend;
    private final Slab weights;
    private final Division division;
    private final SumTree sumTree;
    private final Slab firstMoment;
    private final Slab secondMoment;
    private final List<Tensor> tensors;
    private final List<Tensor> firstMoments;
    private final List<Tensor> secondMoments;
    private Gradients gradients;

    Trained(CausalLm model, Division division) {
        this.division = division;
        backend = model.backend();
        weights =
                model.lora() == null ? model.parameters().slab() : model.lora().slab();
        sumTree = new SumTree(division, model);
        firstMoment = Gradients.like(model).slab();
        secondMoment = Gradients.like(model).slab();
        tensors = List.copyOf(weights.tensors());
        firstMoments = List.copyOf(firstMoment.tensors());
        secondMoments = List.copyOf(secondMoment.tensors());
        backend.markTrained(weights);
    }

    /**
     * Computes the gradient of a step.
     *
     * @param present the parts that have lines
     */
    void sum(BitSet present, SumTree.Part part) {
        gradients = sumTree.sum(present, part);
        sumTree.collectives().allGather(sumTree.whole(gradients));
    }

    /** Of the latest step. */
    Gradients gradients() {
        return gradients;
    }

    Slab weights() {
        return weights;
    }

    Slab firstMoment() {
        return firstMoment;
    }

    Slab secondMoment() {
        return secondMoment;
    }

    /** In as many pieces as there are parts, each rank those of its own, so that the bits do not depend on ranks. */
    double gradientNorm() {
        Collectives collectives = sumTree.collectives();
        Collectives.Range own = collectives.own();
        double[] squares = new double[division.parts()];
        for (int piece = own.first(); piece < own.end(); piece++) {
            squares[piece] = backend.sumOfSquares(
                    collectives.of(sumTree.whole(gradients), new Collectives.Range(piece, piece + 1)));
        }
        division.ranks().sum(squares);
        double sum = 0;
        for (double square : squares) {
            sum += square;
        }
        return Math.sqrt(sum);
    }

    /** @param step counted from 1 */
    void update(TrainSettings settings, double learningRate, double gradScale, int step) {
        double[] decay = tensors.stream()
                .mapToDouble(w -> w.rank() >= 2 ? settings.weightDecay() : 0)
                .toArray();
        backend.adamW(
                tensors,
                firstMoments,
                secondMoments,
                List.copyOf(gradients.slab().tensors()),
                settings.adamW(),
                learningRate,
                decay,
                gradScale,
                step);
    }

    @Override
    public void close() {
        sumTree.close();
        firstMoment.close();
        secondMoment.close();
    }
}
