package org.calm4j.engine.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.node.ObjectNode;
import org.calm4j.engine.config.ConfigReader;
import org.calm4j.engine.config.Llama;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.config.Projection;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.simd.SimdBackend;
import org.calm4j.engine.tensor.Tensor;
import org.junit.jupiter.api.Test;

/** How weights are distributed before any training: as in {@code _init_weights} of transformers' families. */
final class FreshWeightsTest {
    private static final double RANGE = 0.05;

    private static double deviation(Tensor tensor) {
        double sum = 0;
        double squares = 0;
        for (long i = 0; i < tensor.size(); i++) {
            sum += tensor.get(i);
            squares += tensor.get(i) * tensor.get(i);
        }
        assertThat(sum / tensor.size()).isCloseTo(0, within(5 * RANGE / Math.sqrt(tensor.size())));
        return Math.sqrt(squares / tensor.size());
    }

    @Test
    void gpt2MakesWhatAddsToTheResidualStreamSmaller() {
        ObjectNode json = OracleModel.config("gpt2")
                .put("n_embd", 64)
                .put("n_layer", 8)
                .put("vocab_size", 100)
                .put("initializer_range", RANGE);
        ModelConfig config = ConfigReader.of(json, "config");
        try (Backend backend = new SimdBackend(1);
                Parameters fresh = Parameters.random(backend, config, 1)) {
            for (Tensor tensor : fresh.tensors()) {
                if (tensor.rank() == 1) {
                    double constant =
                            tensor.name().contains("ln_") && tensor.name().endsWith("weight") ? 1 : 0;
                    assertThat(tensor.get(3)).as(tensor.name()).isEqualTo(constant);
                } else {
                    double expected = tensor.name().endsWith("c_proj.weight") ? RANGE / 4 : RANGE;
                    assertThat(deviation(tensor) / expected)
                            .as(tensor.name())
                            .isCloseTo(1, within(4 / Math.sqrt(tensor.size())));
                }
            }
        }
    }

    @Test
    void llamaTreatsAllLayersAlikeAndPaddingIsZero() {
        ObjectNode json = Llama.config(100, 64, 96, 8, 4, 2, 64, 0)
                .json()
                .put("initializer_range", RANGE)
                .put("pad_token_id", 7);
        ModelConfig config = ConfigReader.of(json, "config");
        try (Backend backend = new SimdBackend(1);
                Parameters fresh = Parameters.random(backend, config, 1)) {
            assertThat(deviation(fresh.layer(5).linears().get(Projection.O).weight()) / RANGE)
                    .isCloseTo(1, within(0.06));
            assertThat(deviation(fresh.layer(5).linears().get(Projection.DOWN).weight()) / RANGE)
                    .isCloseTo(1, within(0.06));
            assertThat(deviation(fresh.embedding().rows(7, 1))).isZero();
            assertThat(deviation(fresh.embedding().rows(8, 1))).isPositive();
        }
    }
}
