package org.calm4j.engine.train;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.InputStream;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.loss.ConsistencyLoss;
import org.calm4j.engine.loss.LossParameters;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.op.AdamW;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.scalar.ScalarBackend;
import org.calm4j.engine.op.simd.SimdBackend;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;
import org.calm4j.engine.train.optim.Schedule;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Training on pairs in two languages against the float64 PyTorch numbers of {@code src/test/oracle/preference.py}. */
final class ConsistencyOracleTest {
    @ParameterizedTest
    @ValueSource(strings = {"scalar F64", "simd"})
    void training(String kind) throws IOException, URISyntaxException {
        double tolerance = kind.equals("simd") ? 2e-4 : 1e-11;
        JsonNode oracle;
        try (InputStream in = ConsistencyOracleTest.class.getResourceAsStream("/oracle/preference.json")) {
            oracle = Json.mapper().readTree(in);
        }
        Path model = Path.of(ConsistencyOracleTest.class
                .getResource("/oracle/" + oracle.required("model").textValue())
                .toURI());
        for (JsonNode run : oracle.required("runs")) {
            try (Backend backend = kind.equals("simd") ? new SimdBackend(1) : new ScalarBackend(DType.F64);
                    ModelFolder folder = ModelFolder.openToTrain(backend, model)) {
                List<Example> lines = lines(run.required("data"));
                try (Trainer trainer = new Trainer(
                        folder.model(),
                        settings(run),
                        lines,
                        Replay.NONE,
                        References.of(folder.model(), lines, null))) {
                    for (JsonNode step : run.required("steps")) {
                        JsonNode log = Json.mapper()
                                .valueToTree(trainer.step(step.required("step").intValue() - 1));
                        for (String name : List.of("loss", "grad_norm", "rewards/margins", "consistency")) {
                            close(
                                    name + " of step " + step.required("step"),
                                    log.required(name).doubleValue(),
                                    step.required(name),
                                    tolerance);
                        }
                    }
                }
                for (Tensor tensor : folder.model().parameters().slab().tensors()) {
                    double sum = 0;
                    double squares = 0;
                    for (long i = 0; i < tensor.size(); i++) {
                        sum += tensor.get(i);
                        squares += tensor.get(i) * tensor.get(i);
                    }
                    JsonNode expected = run.required("final").required(tensor.name());
                    close(tensor.name() + " sum", sum, expected.required("sum"), tolerance);
                    close(tensor.name() + " squares", squares, expected.required("sum_squares"), tolerance);
                }
            }
        }
    }

    private static void close(String what, double actual, JsonNode expected, double tolerance) {
        double value = expected.doubleValue();
        assertThat(Math.abs(actual - value))
                .as("%s is %s, expected %s", what, actual, value)
                .isLessThanOrEqualTo(tolerance * Math.max(1, Math.abs(value)));
    }

    private static TrainSettings settings(JsonNode run) {
        double beta = run.required("beta").doubleValue();
        ConsistencyLoss loss = ConsistencyLoss.of(
                run.required("loss_type").valueStream().map(JsonNode::textValue).toList(),
                run.required("loss_weights")
                        .valueStream()
                        .map(JsonNode::doubleValue)
                        .toList(),
                LossParameters.of(beta, 0));
        return new TrainSettings(
                run.required("batch_size").intValue(),
                0,
                false,
                new Schedule(Schedule.Kind.CONSTANT, 1e-3, 0, 0, 5),
                new AdamW(0.9, 0.999, 1e-8),
                0.1,
                1,
                null,
                loss,
                beta,
                1,
                0,
                0,
                false,
                0);
    }

    private static List<Example> lines(JsonNode data) {
        List<Example> lines = new ArrayList<>();
        for (JsonNode line : data) {
            double weight = line.required("weight").doubleValue();
            lines.add(new Example.TwoLanguages(pair(line, 1, weight), pair(line, 2, weight), weight));
        }
        return lines;
    }

    private static Example.Preference pair(JsonNode line, int language, double weight) {
        return new Example.Preference(
                ids(line, "prompt_" + language),
                ids(line, "chosen_" + language),
                ids(line, "rejected_" + language),
                weight);
    }

    private static int[] ids(JsonNode line, String name) {
        return line.required(name + "_input_ids")
                .valueStream()
                .mapToInt(JsonNode::intValue)
                .toArray();
    }
}
