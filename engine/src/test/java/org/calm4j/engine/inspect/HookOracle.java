package org.calm4j.engine.inspect;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.Map;
import java.util.stream.StreamSupport;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Safetensors;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.model.OracleModel;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.tensor.Tensor;

/** Values and gradients at every hook point of a model, by float64 autograd: {@code src/test/oracle/models.py}. */
public final class HookOracle {
    private HookOracle() {}

    /** @param tolerance of a difference's norm, as a share of the tensor's */
    public static void check(Backend backend, String name, double tolerance) {
        Path path = OracleModel.folder(name);
        JsonNode line = Json.read(path.resolve("oracle.json"), JsonNode.class)
                .required("score_adapter")
                .get(1);
        int[] ids = StreamSupport.stream(line.required("input_ids").spliterator(), false)
                .mapToInt(JsonNode::intValue)
                .toArray();
        try (ModelFolder folder = ModelFolder.open(backend, path, path.resolve("adapter"));
                Inspector inspector = new Inspector(folder.model(), ids.length);
                Trace trace = inspector.run(
                        ids,
                        line.required("completion_start").intValue(),
                        Selection.of(inspector.config(), "*").withGradients());
                Safetensors expected = Safetensors.open(path.resolve("hooks.safetensors"))) {
            assertThat(trace.tensors().keySet())
                    .containsExactlyInAnyOrderElementsOf(expected.tensors().keySet());
            for (Map.Entry<String, Tensor> each : expected.tensors().entrySet()) {
                Tensor is = trace.tensors().get(each.getKey());
                assertThat(is.shape())
                        .as(each.getKey())
                        .isEqualTo(each.getValue().shape());
                assertThat(difference(is, each.getValue())).as(each.getKey()).isLessThan(tolerance);
            }
        }
    }

    private static double difference(Tensor is, Tensor expected) {
        double difference = 0;
        double norm = 0;
        for (long i = 0; i < expected.size(); i++) {
            difference += Math.pow(is.get(i) - expected.get(i), 2);
            norm += Math.pow(expected.get(i), 2);
        }
        return Math.sqrt(difference / norm);
    }
}
