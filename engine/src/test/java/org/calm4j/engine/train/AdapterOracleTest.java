package org.calm4j.engine.train;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.calm4j.engine.config.Projection;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.Lora;
import org.calm4j.engine.model.LoraSettings;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.model.OracleModel;
import org.calm4j.engine.op.AdamW;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.scalar.ScalarBackend;
import org.calm4j.engine.op.simd.SimdBackend;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;
import org.calm4j.engine.train.optim.OptimizerMemory;
import org.calm4j.engine.train.optim.ParameterGroups;
import org.calm4j.engine.train.optim.Schedule;
import org.calm4j.engine.train.optim.UpdateSettings;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Four steps of LoRA's relatives against the float64 PyTorch numbers of {@code src/test/oracle/adapters.py}. */
@Tag("slow")
final class AdapterOracleTest {
    private record Case(JsonNode run, boolean simd) {
        @Override
        public String toString() {
            return run.required("model").textValue() + ", "
                    + run.required("name").textValue() + (simd ? ", simd" : ", scalar F64");
        }
    }

    static Stream<Case> cases() {
        return Json.read(OracleModel.folder("adapters.json"), JsonNode.class)
                .valueStream()
                .flatMap(run -> Stream.of(new Case(run, false), new Case(run, true)));
    }

    @ParameterizedTest
    @MethodSource("cases")
    void trains(Case c) {
        double tolerance = c.simd() ? 3e-4 : 1e-10;
        JsonNode run = c.run();
        try (Backend backend = c.simd() ? new SimdBackend(1) : new ScalarBackend(DType.F64);
                ModelFolder plain = ModelFolder.open(
                        backend, OracleModel.folder(run.required("model").textValue()), null)) {
            Lora lora = Lora.random(backend, plain.model().config(), settings(plain.model(), run.required("lora")), 1);
            CausalLm model = plain.withLora(lora).model();
            run.path("start").properties().forEach(each -> {
                double[] values = doubles(each.getValue().required("data"));
                backend.write(lora.slab().get(each.getKey()), values, values.length);
            });
            lora.changed();
            List<Example.Document> documents = run.required("documents")
                    .valueStream()
                    .map(line -> new Example.Document(
                            line.required("input_ids")
                                    .valueStream()
                                    .mapToInt(JsonNode::intValue)
                                    .toArray(),
                            line.required("completion_start").intValue(),
                            1))
                    .toList();
            try (Trainer trainer =
                    new Trainer(model, settings(run.required("settings")), documents, Replay.NONE, List.of())) {
                for (JsonNode step : run.required("steps")) {
                    StepLog log = trainer.step(step.required("step").intValue() - 1);
                    OracleTensor.close("loss " + step, log.loss(), step.required("loss"), tolerance);
                    OracleTensor.close("norm " + step, log.gradNorm(), step.required("grad_norm"), tolerance);
                }
            }
            assertThat(names(lora)).isEqualTo(new TreeSet<>(fieldNames(run.required("final"))));
            for (Tensor tensor : lora.slab().tensors()) {
                OracleTensor.check(tensor, run.required("final").required(tensor.name()), tolerance);
            }
            lora.close();
        }
    }

    private static Set<String> names(Lora lora) {
        Set<String> names = new TreeSet<>();
        lora.slab().tensors().forEach(tensor -> names.add(tensor.name()));
        return names;
    }

    private static List<String> fieldNames(JsonNode object) {
        List<String> names = new ArrayList<>();
        object.fieldNames().forEachRemaining(names::add);
        return names;
    }

    private static LoraSettings settings(CausalLm model, JsonNode json) {
        Set<Projection> targets = model.config().layout().projections(texts(json.required("target_modules")));
        Map<String, Integer> ranks = new LinkedHashMap<>();
        json.path("rank_pattern")
                .properties()
                .forEach(each -> ranks.put(each.getKey(), each.getValue().intValue()));
        return new LoraSettings(
                json.required("r").intValue(),
                json.required("lora_alpha").doubleValue(),
                0,
                json.required("use_rslora").booleanValue(),
                targets,
                null,
                json.path("layers_to_transform")
                        .valueStream()
                        .map(JsonNode::intValue)
                        .toList(),
                ranks,
                numbers(json.path("alpha_pattern")),
                json.required("use_dora").booleanValue(),
                LoraSettings.Start.valueOf(
                        json.path("init_lora_weights").asText("true").toUpperCase(Locale.ROOT)),
                texts(json.path("modules_to_save")));
    }

    private static TrainSettings settings(JsonNode s) {
        return new TrainSettings(
                s.required("batch_size").intValue(),
                0,
                false,
                new Schedule(Schedule.Kind.CONSTANT, s.required("learning_rate").doubleValue(), 0, 0, 4),
                AdamW.DEFAULT,
                s.required("weight_decay").doubleValue(),
                s.required("max_grad_norm").doubleValue(),
                null,
                null,
                null,
                0,
                1,
                0,
                0,
                false,
                0,
                new UpdateSettings(
                        0,
                        new ParameterGroups(
                                numbers(s.path("learning_rates")),
                                numbers(s.path("weight_decays")),
                                s.path("loraplus_lr_ratio").asDouble(1)),
                        0,
                        OptimizerMemory.F32),
                Packing.STANDARD);
    }

    private static Map<String, Double> numbers(JsonNode object) {
        Map<String, Double> numbers = new LinkedHashMap<>();
        object.properties()
                .forEach(each -> numbers.put(each.getKey(), each.getValue().doubleValue()));
        return numbers;
    }

    private static List<String> texts(JsonNode array) {
        return array.valueStream().map(JsonNode::textValue).toList();
    }

    private static double[] doubles(JsonNode array) {
        return array.valueStream().mapToDouble(JsonNode::doubleValue).toArray();
    }
}
