package org.calm4j.engine.train;

import java.util.List;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.Gradients;
import org.calm4j.engine.model.Lora;
import org.calm4j.engine.model.Parameters;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.tensor.Block;
import org.calm4j.engine.tensor.Tensor;

/** What is trained: all parameters or the adapter alone, with gradients and moments of the same shapes, each in one block. */
final class Trained implements AutoCloseable {
    private final Backend backend;
    private final Block weights;
    private final Block gradient;
    private final Block firstMoment;
    private final Block secondMoment;
    private final Gradients gradients;
    private final List<Tensor> tensors;
    private final List<Tensor> gradientTensors;
    private final List<Tensor> firstMoments;
    private final List<Tensor> secondMoments;

    Trained(CausalLm model) {
        backend = model.backend();
        if (model.lora() == null) {
            Parameters d = new Parameters(backend, model.config());
            weights = model.parameters().block();
            gradient = d.block();
            firstMoment = new Parameters(backend, model.config()).block();
            secondMoment = new Parameters(backend, model.config()).block();
            gradients = new Gradients(d, null);
        } else {
            Lora d = model.lora().zeros();
            weights = model.lora().block();
            gradient = d.block();
            firstMoment = model.lora().zeros().block();
            secondMoment = model.lora().zeros().block();
            gradients = new Gradients(null, d);
        }
        tensors = List.copyOf(weights.tensors());
        gradientTensors = List.copyOf(gradient.tensors());
        firstMoments = List.copyOf(firstMoment.tensors());
        secondMoments = List.copyOf(secondMoment.tensors());
        backend.trains(weights);
    }

    Gradients gradients() {
        return gradients;
    }

    Block weights() {
        return weights;
    }

    Block firstMoment() {
        return firstMoment;
    }

    Block secondMoment() {
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
