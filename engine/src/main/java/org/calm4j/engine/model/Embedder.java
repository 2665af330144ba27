package org.calm4j.engine.model;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntConsumer;

/** A text as one vector: the mean over its tokens of the hidden states after the last norm, of length 1. */
public final class Embedder {
    private static final int ROWS = 2048;

    private final CausalLm model;

    public Embedder(CausalLm model) {
        this.model = model;
    }

    /**
     * One vector (C) per text.
     *
     * @param texts one token or more each; those longer than the model's positions are cut
     * @param done receives how many are done
     */
    public List<float[]> embed(List<int[]> texts, IntConsumer done) {
        int most = model.config().positions().limit() - 1;
        List<int[]> cut = texts.stream()
                .map(text -> Arrays.copyOf(text, Math.min(text.length, most)))
                .toList();
        int longest = cut.stream().mapToInt(text -> text.length).max().orElse(0);
        int rows = Math.max(ROWS, longest);
        List<float[]> vectors = new ArrayList<>(cut.size());
        try (Activations activations = new Activations(
                model.backend(),
                model.config(),
                Activations.Purpose.INFERENCE,
                Activations.Capacity.of(model, rows, rows, longest + 1, 0))) {
            PackedBatch batch = new PackedBatch();
            int width = model.config().hiddenSize();
            double[] hidden = new double[Math.multiplyExact(rows, width)];
            while (vectors.size() < cut.size()) {
                batch.clear();
                int end = vectors.size();
                while (end < cut.size() && batch.rows() + cut.get(end).length <= rows) {
                    // A last token that predicts nothing, so that the states of all others are computed.
                    batch.add(Arrays.copyOf(cut.get(end), cut.get(end).length + 1), 1);
                    end++;
                }
                model.forward(activations, batch, null);
                model.backend().read(hidden, activations.batch().norm, batch.scored() * width);
                for (int i = 0; i < batch.scored() * width; i++) {
                    if (!Double.isFinite(hidden[i])) {
                        throw NotFinite.explain(model);
                    }
                }
                for (int text = 0; text < batch.sequences(); text++) {
                    vectors.add(mean(hidden, batch.scoredStart(text), batch.scoredStart(text + 1), width));
                }
                done.accept(end);
            }
        }
        return vectors;
    }

    private static float[] mean(double[] hidden, int from, int to, int width) {
        double[] sum = new double[width];
        for (int row = from; row < to; row++) {
            for (int c = 0; c < width; c++) {
                sum[c] += hidden[row * width + c];
            }
        }
        double square = 0;
        for (double value : sum) {
            square += value * value;
        }
        float[] mean = new float[width];
        for (int c = 0; c < width; c++) {
            mean[c] = (float) (sum[c] / Math.sqrt(square));
        }
        return mean;
    }
}
