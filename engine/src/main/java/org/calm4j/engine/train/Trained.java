package org.calm4j.engine.train;

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
    private final Slab gradient;
    private final Slab firstMoment;
    private final Slab secondMoment;
    private final Gradients gradients;
    private final List<Tensor> tensors;
    private final List<Tensor> gradientTensors;
    private final List<Tensor> firstMoments;
    private final List<Tensor> secondMoments;

    Trained(CausalLm model) {
        backend = model.backend();
        weights =
                model.lora() == null ? model.parameters().slab() : model.lora().slab();
        gradients = Gradients.like(model);
        gradient = gradients.slab();
        firstMoment = Gradients.like(model).slab();
        secondMoment = Gradients.like(model).slab();
        tensors = List.copyOf(weights.tensors());
        gradientTensors = List.copyOf(gradient.tensors());
        firstMoments = List.copyOf(firstMoment.tensors());
        secondMoments = List.copyOf(secondMoment.tensors());
        backend.markTrained(weights);
    }

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

    double gradientNorm() {
        return Math.sqrt(backend.sumOfSquares(gradient.whole(backend.computeType())));
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
                gradientTensors,
                settings.adamW(),
                learningRate,
                decay,
                gradScale,
                step);
    }

    @Override
    public void close() {
        gradient.close();
        firstMoment.close();
        secondMoment.close();
    }
}
