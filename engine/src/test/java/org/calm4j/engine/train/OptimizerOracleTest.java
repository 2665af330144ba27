package org.calm4j.engine.train;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.model.OracleModel;
import org.calm4j.engine.op.AdamW;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.scalar.ScalarBackend;
import org.calm4j.engine.op.simd.SimdBackend;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Slab;
import org.calm4j.engine.tensor.Tensor;
import org.calm4j.engine.train.optim.Muon;
import org.calm4j.engine.train.optim.Optimizer;
import org.calm4j.engine.train.optim.OptimizerMemory;
import org.calm4j.engine.train.optim.ParameterGroups;
import org.calm4j.engine.train.optim.Schedule;
import org.calm4j.engine.train.optim.ScheduleFreeAdamW;
import org.calm4j.engine.train.optim.UpdateSettings;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Muon and Schedule-Free AdamW against the float64 numbers of {@code src/test/oracle/optimizers.py}. */
final class OptimizerOracleTest {
    private record Case(JsonNode run, boolean simd) {
        @Override
        public String toString() {
            return run.required("model").textValue() + ", " + run.required("adapter") + ", " + run.required("settings")
                    + (simd ? ", simd" : ", scalar F64");
        }
    }

    static Stream<Case> cases() {
        return Json.read(OracleModel.folder("optimizers.json"), JsonNode.class)
                .valueStream()
                .flatMap(run -> Stream.of(new Case(run, false), new Case(run, true)));
    }

    @ParameterizedTest
    @MethodSource("cases")
    void trains(Case c) {
        JsonNode run = c.run();
        double tolerance = c.simd() ? 5e-4 : 1e-10;
        Path model = OracleModel.folder(run.required("model").textValue());
        List<Example.Document> lines = new ArrayList<>();
        for (JsonNode line : run.required("documents")) {
            int[] tokens = line.required("input_ids")
                    .valueStream()
                    .mapToInt(JsonNode::intValue)
                    .toArray();
            lines.add(new Example.Document(
                    tokens, line.required("completion_start").intValue(), 1));
        }
        try (Backend backend = c.simd() ? new SimdBackend(2) : new ScalarBackend(DType.F64);
                ModelFolder folder = run.required("adapter").isNull()
                        ? ModelFolder.openToTrain(backend, model)
                        : ModelFolder.open(
                                backend,
                                model,
                                model.resolve(run.required("adapter").textValue()));
                Trainer trainer = new Trainer(
                        folder.model(),
                        settings(run.required("settings")),
                        lines,
                        Replay.NONE,
                        List.of(),
                        new Trainer.EvalLines(lines, List.of()))) {
            for (JsonNode step : run.required("steps")) {
                StepLog log = trainer.step(step.required("step").intValue() - 1);
                OracleTensor.close("loss " + step, log.loss(), step.required("loss"), tolerance);
                OracleTensor.close("norm " + step, log.gradNorm(), step.required("grad_norm"), tolerance);
                assertThat(trainer.passes()).isEqualTo(log.step() % 2 == 1 ? 2 : 1);
            }
            Slab weights = trainer.trained().weights();
            assertThat(weights.tensors()).hasSize(run.required("final").size());
            check(weights, run.required("final"), tolerance);
            OracleTensor.close("evaluation", trainer.evaluate().loss(), run.required("eval_loss"), tolerance);
            check(weights, run.required("final"), tolerance);
            trainer.asModel(() -> check(
                    weights,
                    run.path("model_final").isMissingNode() ? run.get("final") : run.get("model_final"),
                    tolerance));
        }
    }

    private static void check(Slab weights, JsonNode expected, double tolerance) {
        for (Tensor tensor : weights.tensors()) {
            JsonNode numbers = expected.required(tensor.name());
            // The gradient of the keys' bias is rounding, of which AdamW makes steps.
            if (tensor.name().endsWith("attn.c_attn.bias")) {
                OracleTensor.checkFirst(tensor, numbers, tolerance);
            } else {
                OracleTensor.check(tensor, numbers, tolerance);
            }
        }
    }

    private static TrainSettings settings(JsonNode s) {
        return new TrainSettings(
                s.required("batch_size").intValue(),
                s.required("micro_batch_size").intValue(),
                false,
                new Schedule(
                        Schedule.Kind.CONSTANT,
                        s.required("learning_rate").doubleValue(),
                        0,
                        s.required("warmup_steps").intValue(),
                        s.required("max_steps").intValue()),
                new AdamW(
                        s.required("adam_beta1").doubleValue(),
                        s.required("adam_beta2").doubleValue(),
                        s.required("adam_epsilon").doubleValue()),
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
                new UpdateSettings(0, ParameterGroups.NONE, 0, OptimizerMemory.F32, optimizer(s)),
                Packing.STANDARD);
    }

    private static Optimizer optimizer(JsonNode s) {
        return s.required("optimizer").textValue().equals("muon")
                ? new Muon(
                        s.required("muon_momentum").doubleValue(),
                        Muon.AdjustRate.valueOf(
                                s.required("adjust_lr_fn").textValue().toUpperCase(Locale.ROOT)),
                        s.required("adamw_learning_rate").doubleValue())
                : new ScheduleFreeAdamW(
                        s.required("schedule_free_r").doubleValue(),
                        s.required("weight_lr_power").doubleValue());
    }
}
