package org.calm4j.engine.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Offset.offset;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.Backends;
import org.junit.jupiter.api.Test;

class EmbedderTest {
    private static final int WIDTH = 12;
    private static final int VOCABULARY = 23;

    /**
     * A second route to the hidden states: a head whose rows are the axes, and zero beyond, has the states as logits, so that a
     * log-probability less that of a token beyond is a state's component.
     */
    @Test
    void isTheMeanOfTheStatesThatTheHeadSees() {
        ModelConfig config = TinyModel.config(false);
        try (Backend backend = Backends.open("cpu", 1);
                Parameters parameters = Parameters.random(backend, config, 3)) {
            double[] axes = new double[VOCABULARY * WIDTH];
            for (int c = 0; c < WIDTH; c++) {
                axes[c * WIDTH + c] = 1;
            }
            backend.write(parameters.head(), axes, axes.length);
            CausalLm model = new CausalLm(config, parameters, null);
            List<int[]> texts = List.of(new int[] {3, 14, 15, 9, 2}, new int[] {6}, new int[] {5, 3, 5, 8, 9, 7, 9});
            List<float[]> vectors = new Embedder(model).embed(texts, done -> {});
            assertThat(vectors).hasSameSizeAs(texts);
            for (int t = 0; t < texts.size(); t++) {
                double[] expected = mean(model, texts.get(t));
                for (int c = 0; c < WIDTH; c++) {
                    assertThat((double) vectors.get(t)[c])
                            .as("text %d, component %d", t, c)
                            .isEqualTo(expected[c], offset(1e-5));
                }
            }
        }
    }

    private static double[] mean(CausalLm model, int[] text) {
        List<int[]> single = new ArrayList<>();
        for (int token = 0; token < VOCABULARY; token++) {
            single.add(new int[] {token});
        }
        List<Scorer.Item> prefixes = new ArrayList<>();
        for (int n = 1; n <= text.length; n++) {
            prefixes.add(new Scorer.Item(Arrays.copyOf(text, n), single));
        }
        double[] sum = new double[WIDTH];
        for (List<double[]> logProbs : new Scorer(model).score(prefixes, done -> {})) {
            for (int c = 0; c < WIDTH; c++) {
                sum[c] += logProbs.get(c)[0] - logProbs.get(WIDTH)[0];
            }
        }
        double length = Math.sqrt(Arrays.stream(sum).map(value -> value * value).sum());
        return Arrays.stream(sum).map(value -> value / length).toArray();
    }
}
