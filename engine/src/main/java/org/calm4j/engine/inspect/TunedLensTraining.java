package org.calm4j.engine.inspect;

import java.util.Arrays;
import java.util.List;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.model.Activations;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.Unembedding;
import org.calm4j.engine.op.AdamW;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.tensor.Slab;
import org.calm4j.engine.tensor.Tensor;

/**
 * Training of a {@link TunedLens} on what the model itself says: {@code KL(p ‖ q)} of the model's distribution p and the lens's q, mean over
 * positions (Belrose et al. 2023, eq. 4), each layer on its own. The model is frozen.
 */
public final class TunedLensTraining implements AutoCloseable {
    private final Inspector inspector;
    private final ModelConfig config;
    private final Backend backend;
    private final TunedLens lens;
    private final Unembedding unembedding;
    private final Activations activations;
    private final Slab gradient;
    private final Slab firstMoment;
    private final Slab secondMoment;
    private final Slab room;

    /** @param longest tokens of a text at most, as of the inspector */
    public TunedLensTraining(Inspector inspector, TunedLens lens, int longest) {
        this.inspector = inspector;
        this.lens = lens;
        CausalLm model = inspector.model();
        config = model.config();
        backend = model.backend();
        unembedding = new Unembedding(model);
        activations = new Activations(
                backend,
                config,
                Activations.Purpose.INFERENCE,
                new Activations.Capacity(longest, longest, longest, longest, model.loraRank()));
        gradient = TunedLens.zeros(backend, config);
        firstMoment = TunedLens.zeros(backend, config);
        secondMoment = TunedLens.zeros(backend, config);
        Slab.Plan plan = new Slab.Plan();
        for (String name : List.of("stream", "mapped", "dMapped", "dNorm")) {
            plan.add(name, backend.computeType(), longest, config.hiddenSize());
        }
        plan.add("dLogits", backend.computeType(), longest, config.vocabulary().size());
        room = plan.allocate(backend::allocate);
    }

    /** The divergence at each layer, in nats, mean over the texts' positions; 0 after the last. */
    public double[] divergences(List<int[]> texts) {
        return pass(texts, false);
    }

    /**
     * Takes a step of AdamW without decay; returns the divergences before it.
     *
     * @param step counted from 1
     */
    public double[] step(List<int[]> texts, double learningRate, int step) {
        double[] divergences = pass(texts, true);
        List<Tensor> weights = lens.tensors();
        backend.adamW(
                weights,
                List.copyOf(firstMoment.tensors()),
                List.copyOf(secondMoment.tensors()),
                List.copyOf(gradient.tensors()),
                AdamW.DEFAULT,
                learningRate,
                new double[weights.size()],
                1,
                step);
        return divergences;
    }

    /** The gradient of the mean divergences, after {@link #step} or {@link #pass}. */
    Slab gradient() {
        return gradient;
    }

    /** @param backward whether {@link #gradient} is set */
    double[] pass(List<int[]> texts, boolean backward) {
        double positions = texts.stream().mapToInt(text -> text.length).sum();
        double[] divergences = new double[config.layers() + 1];
        if (backward) {
            gradient.tensors().forEach(backend::zero);
        }
        for (int[] text : texts) {
            try (Streams streams = Streams.of(inspector, text)) {
                double[] said = logProbs(streams.get(config.layers()), config.layers());
                for (int layer = 0; layer < config.layers(); layer++) {
                    double[] read = logProbs(streams.get(layer), layer);
                    double sum = 0;
                    for (int i = 0; i < said.length; i++) {
                        double p = Math.exp(said[i]);
                        sum += p == 0 ? 0 : p * (said[i] - read[i]);
                        // dKL/dlogit = q − p.
                        read[i] = (Math.exp(read[i]) - p) / positions;
                    }
                    divergences[layer] += sum / positions;
                    if (backward) {
                        backward(read, text.length, layer);
                    }
                }
            }
        }
        return divergences;
    }

    /** (T,V) of what the lens reads in a stream. */
    private double[] logProbs(Tensor stream, int layer) {
        int rows = (int) stream.dim(0);
        Tensor there = room.get("stream").rows(0, rows);
        Tensor mapped = room.get("mapped").rows(0, rows);
        backend.copy(there, stream);
        lens.map(mapped, there, layer);
        unembedding.forward(activations, mapped);
        int words = config.vocabulary().size();
        double[] logits = new double[Math.multiplyExact(rows, words)];
        activations.readLogits(logits);
        for (int row = 0; row < rows; row++) {
            int first = row * words;
            double most = Arrays.stream(logits, first, first + words).max().orElseThrow();
            double sum = 0;
            for (int i = first; i < first + words; i++) {
                sum += Math.exp(logits[i] - most);
            }
            double logSum = most + Math.log(sum);
            for (int i = first; i < first + words; i++) {
                logits[i] -= logSum;
            }
        }
        return logits;
    }

    /** Adds to a layer's gradient, after {@link #logProbs} of its stream. */
    private void backward(double[] values, int rows, int layer) {
        Tensor dLogits = room.get("dLogits").rows(0, rows);
        Tensor dMapped = room.get("dMapped").rows(0, rows);
        backend.write(dLogits, values, values.length);
        unembedding.backward(activations, dMapped, room.get("dNorm").rows(0, rows), dLogits);
        backend.linearBackwardWeight(
                gradient.get(layer + ".weight"), dMapped, room.get("stream").rows(0, rows), 1, true);
        backend.biasBackward(gradient.get(layer + ".bias"), dMapped);
    }

    @Override
    public void close() {
        activations.close();
        gradient.close();
        firstMoment.close();
        secondMoment.close();
        room.close();
    }
}
