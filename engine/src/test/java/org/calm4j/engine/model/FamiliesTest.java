package org.calm4j.engine.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.calm4j.engine.config.ConfigReader;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.scalar.ScalarBackend;
import org.calm4j.engine.op.simd.SimdBackend;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Configs that leave fields out, or have unusual ones, against what transformers makes of them: {@code src/test/oracle/families.py}. */
@Tag("slow")
final class FamiliesTest {
    private static final JsonNode ORACLE = Json.read(OracleModel.folder("families.json"), JsonNode.class);

    static Stream<String> names() {
        return ORACLE.required("cases").properties().stream().map(Map.Entry::getKey);
    }

    @ParameterizedTest
    @MethodSource("names")
    void scores(String name) {
        JsonNode expected = ORACLE.required("cases").required(name);
        ModelConfig config = ConfigReader.of((ObjectNode) expected.required("config"), name);
        assertThat(config.parameters())
                .isEqualTo(expected.required("parameters").longValue());
        // Frequencies are float32 there.
        assertThat(scores(config, new ScalarBackend(DType.F64)))
                .containsExactly(doubles(expected.required("logprobs")), within(5e-6));
        assertThat(scores(config, new SimdBackend(1)))
                .containsExactly(doubles(expected.required("logprobs")), within(5e-5));
    }

    private static double[] doubles(JsonNode list) {
        return list.valueStream().mapToDouble(JsonNode::doubleValue).toArray();
    }

    private static double[] scores(ModelConfig config, Backend opened) {
        int[] ids = ORACLE.required("ids")
                .valueStream()
                .mapToInt(JsonNode::intValue)
                .toArray();
        try (Backend backend = opened;
                Parameters parameters = new Parameters(backend, config)) {
            for (Tensor tensor : parameters.tensors()) {
                backend.write(tensor, values(tensor), (int) tensor.size());
            }
            var item = new Scorer.Item(Arrays.copyOf(ids, 1), List.of(Arrays.copyOfRange(ids, 1, ids.length)));
            return new Scorer(new CausalLm(config, parameters, null))
                    .score(List.of(item), done -> {})
                    .getFirst()
                    .getFirst();
        }
    }

    /** As the script has it. */
    private static double[] values(Tensor tensor) {
        int start = 0;
        for (byte b : tensor.name().getBytes(StandardCharsets.UTF_8)) {
            start += b;
        }
        boolean norm = (tensor.name().contains("norm") || tensor.name().contains("ln_"))
                && tensor.name().endsWith("weight");
        double[] values = new double[(int) tensor.size()];
        for (int i = 0; i < values.length; i++) {
            double wave = Math.sin(start + 1.7 * i + 0.003 * i * i);
            values[i] = (float) (norm ? 1 + 0.3 * wave : 0.5 * wave);
        }
        return values;
    }
}
