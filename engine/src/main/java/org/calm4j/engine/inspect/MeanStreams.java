package org.calm4j.engine.inspect;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.model.Activations;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.HookPoint;
import org.calm4j.engine.model.PackedBatch;
import org.calm4j.engine.model.Tap;
import org.calm4j.engine.tensor.Tensor;

/** The residual stream of many texts at each layer, as the mean over a text's tokens: many texts a pass, in memory taken once. */
public final class MeanStreams implements AutoCloseable {
    /** Rows of a pass, unless a text has more. */
    private static final int ROWS = 4096;

    private final CausalLm model;
    private final List<int[]> texts;
    private final Activations activations;
    private final int rows;
    private final PackedBatch batch = new PackedBatch();
    private final double[][][] means;
    private double[] values = new double[0];

    /** @param texts each of at least one token */
    public MeanStreams(CausalLm model, List<int[]> texts) {
        this(model, texts, ROWS);
    }

    /** @param most rows of a pass, unless a text has more */
    MeanStreams(CausalLm model, List<int[]> texts, int most) {
        this.model = model;
        this.texts = List.copyOf(texts);
        ModelConfig config = model.config();
        int longest = texts.stream().mapToInt(text -> text.length).max().orElseThrow();
        if (longest > config.positions().limit()) {
            throw CalmException.badInput(
                    "the text has " + longest + " tokens",
                    "the model's max_position_embeddings is "
                            + config.positions().limit());
        }
        int all = texts.stream().mapToInt(text -> text.length).sum();
        rows = Math.max(longest, Math.min(most, all));
        means = new double[config.layers() + 1][texts.size()][config.hiddenSize()];
        activations = new Activations(
                model.backend(),
                config,
                Activations.Purpose.INFERENCE,
                new Activations.Capacity(rows, 1, longest, 0, model.loraRank()));
    }

    /**
     * The means with the weights as they are now, valid until the next call.
     *
     * @return by layer (0 before the first block, l after block l − 1), text and dimension
     */
    public double[][][] run() {
        for (int first = 0; first < texts.size(); ) {
            batch.clear();
            int end = first;
            List<Integer> lengths = new ArrayList<>();
            while (end < texts.size() && (end == first || batch.rows() + texts.get(end).length <= rows)) {
                batch.prompt(texts.get(end));
                lengths.add(texts.get(end).length);
                end++;
            }
            // A pass needs something to score.
            batch.score(0, 0);
            model.tapped(new Averager(first, lengths)).forward(activations, batch, null);
            first = end;
        }
        return means;
    }

    private final class Averager implements Tap {
        private final int first;
        private final List<Integer> lengths;

        Averager(int first, List<Integer> lengths) {
            this.first = first;
            this.lengths = lengths;
        }

        @Override
        public boolean wants(HookPoint point, int layer) {
            return point == HookPoint.RESID_POST || point == HookPoint.RESID_PRE && layer == 0;
        }

        @Override
        public void value(HookPoint point, int layer, Tensor value) {
            int columns = (int) value.rowSize();
            int size = Math.toIntExact(value.size());
            values = values.length < size ? new double[size] : values;
            model.backend().read(values, value, size);
            double[][] to = means[point == HookPoint.RESID_PRE ? 0 : layer + 1];
            int at = 0;
            for (int text = 0; text < lengths.size(); text++) {
                double[] mean = to[first + text];
                Arrays.fill(mean, 0);
                for (int row = 0; row < lengths.get(text); row++) {
                    for (int i = 0; i < columns; i++) {
                        mean[i] += values[at++] / lengths.get(text);
                    }
                }
            }
        }

        @Override
        public void gradient(HookPoint point, int layer, Tensor gradient) {}
    }

    @Override
    public void close() {
        activations.close();
    }
}
