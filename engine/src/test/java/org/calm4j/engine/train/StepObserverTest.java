package org.calm4j.engine.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Jsonl;
import org.calm4j.engine.io.Safetensors;
import org.calm4j.engine.loss.LossParameters;
import org.calm4j.engine.loss.PreferenceLoss;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.Gradients;
import org.calm4j.engine.model.HookPoint;
import org.calm4j.engine.model.PackedBatch;
import org.calm4j.engine.model.Tap;
import org.calm4j.engine.model.TinyModel;
import org.calm4j.engine.op.AdamW;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.scalar.ScalarBackend;
import org.calm4j.engine.op.simd.SimdBackend;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Slab;
import org.calm4j.engine.tensor.Tensor;
import org.calm4j.engine.train.optim.Schedule;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class StepObserverTest {
    private static final List<Example.Preference> PAIRS = List.of(
            new Example.Preference(new int[] {5, 6}, new int[] {7, 8, 0}, new int[] {9, 0}, 1),
            new Example.Preference(new int[] {3}, new int[] {4, 0}, new int[] {4, 9, 0}, 1),
            new Example.Preference(new int[] {1, 2, 3}, new int[] {11}, new int[] {12}, 1));
    private static final List<Example.Document> DOCUMENTS = List.of(
            new Example.Document(new int[] {3, 1, 4, 1, 5, 9, 2}, 1, 1),
            new Example.Document(new int[] {2, 7, 1, 8}, 2, 1));

    @TempDir
    private Path folder;

    /** Sees every point of every pass, and computes a gradient of its own in every step. */
    private static final class Curious implements StepObserver, Tap {
        private final Gradients own;
        private int seen;
        private double remembered;

        Curious(CausalLm model) {
            own = Gradients.like(model);
        }

        @Override
        public Tap tap(int step, int pass, PackedBatch batch) {
            return this;
        }

        @Override
        public boolean wants(HookPoint point, int layer) {
            return point != HookPoint.LOGITS;
        }

        @Override
        public void value(HookPoint point, int layer, Tensor value) {
            seen++;
        }

        @Override
        public void gradient(HookPoint point, int layer, Tensor gradient) {
            seen++;
        }

        @Override
        public Map<String, Object> observe(Step step) {
            step.gradient(new int[] {0, 2}, new double[] {1, 3}, own);
            remembered += step.loss();
            return step.number() % 3 == 0 ? Map.of("inspect/seen", remembered) : Map.of();
        }

        @Override
        public Map<String, Double> state() {
            return Map.of("remembered", remembered);
        }

        @Override
        public void resume(Map<String, Double> state) {
            remembered = state.getOrDefault("remembered", 0.0);
        }
    }

    @ParameterizedTest
    @CsvSource({"llama, 0, false", "qwen3, 2, true", "gpt2, 0, false", "adapted, 2, false", "adapted, 0, true"})
    void watchingChangesNoBit(String kind, int microBatch, boolean checkpointing) {
        List<List<Double>> weights = new ArrayList<>();
        List<ObjectNode> logs = new ArrayList<>();
        for (boolean watched : new boolean[] {false, true}) {
            try (Backend backend = new SimdBackend(2)) {
                CausalLm model =
                        kind.equals("adapted") ? TinyModel.withLora(backend, 0.2) : TinyModel.random(backend, kind);
                TrainSettings settings = settings(microBatch, checkpointing, new PreferenceLoss.DpoSigmoid(0.5, 0));
                try (Trainer trainer = trainer(model, settings)) {
                    Curious curious = new Curious(model);
                    if (watched) {
                        trainer.observe(curious);
                    }
                    for (int step = 0; step < 3; step++) {
                        StepLog log = trainer.step(step);
                        ObjectNode line = Json.mapper().valueToTree(log);
                        line.remove(List.of("tokens_per_second", "inspect/seen"));
                        logs.add(line);
                    }
                    assertThat(curious.seen > 0).isEqualTo(watched);
                    weights.add(values(trainer.trained().weights()));
                }
            }
        }
        assertThat(weights.get(1)).isEqualTo(weights.get(0));
        assertThat(logs.subList(3, 6)).isEqualTo(logs.subList(0, 3));
    }

    /** The gradients of parts add up to the step's, also where pairs are compared with each other. */
    @ParameterizedTest
    @ValueSource(strings = {"sigmoid", "aot"})
    void gradientsOfPartsAddUp(String loss) {
        CausalLm model = TinyModel.random(new ScalarBackend(DType.F64), true);
        TrainSettings settings =
                settings(0, false, PreferenceLoss.of(List.of(loss), List.of(), LossParameters.of(0.5, 0)));
        try (Trainer trainer = trainer(model, settings)) {
            // After a step the pairs' margins differ.
            trainer.step(0);
            double[] lossOfLines = new double[1];
            trainer.observe(step -> {
                Gradients one = Gradients.like(model);
                Gradients other = Gradients.like(model);
                step.gradient(new int[] {0, 3}, new double[] {1, 1}, one);
                step.gradient(new int[] {1, 2, 4}, new double[] {2, 2, 2}, other);
                List<Double> a = values(one.slab());
                List<Double> b = values(other.slab());
                List<Double> all = values(step.gradients().slab());
                for (int i = 0; i < all.size(); i++) {
                    assertThat(a.get(i) + b.get(i) / 2).isCloseTo(all.get(i), within(1e-13));
                }
                assertThat(step.lines()).hasSize(5);
                lossOfLines[0] = step.lines().stream()
                        .mapToDouble(line -> line.factor() * line.loss())
                        .sum();
                double margins = step.lines().stream()
                        .flatMap(line -> line.margins().stream())
                        .mapToDouble(Double::doubleValue)
                        .average()
                        .orElseThrow();
                return Map.of("margins", margins);
            });
            StepLog log = trainer.step(1);
            assertThat(lossOfLines[0]).isCloseTo(log.loss(), within(1e-14));
            assertThat((double) log.observed().get("margins"))
                    .isCloseTo(log.preference().margins(), within(1e-14));
        }
    }

    /** What was observed is in metrics.jsonl whatever the logging steps, and the same after a resume. */
    @Test
    void whatIsObservedIsLoggedAndResumes() throws IOException {
        run("whole", 12, false);
        run("cut", 7, false);
        run("cut", 12, true);
        List<Map<String, Object>> lines = Jsonl.readMaps(folder.resolve("whole").resolve("metrics.jsonl"));
        assertThat(lines).extracting(line -> line.get("step")).containsExactly(3, 5, 6, 9, 10, 12);
        assertThat(lines)
                .extracting(line -> line.containsKey("inspect/seen"))
                .containsExactly(true, false, true, true, false, true);
        List<Map<String, Object>> resumed = Jsonl.readMaps(folder.resolve("cut").resolve("metrics.jsonl"));
        lines.forEach(line -> line.remove("tokens_per_second"));
        resumed.forEach(line -> line.remove("tokens_per_second"));
        assertThat(resumed).isEqualTo(lines);
    }

    private void run(String name, int stop, boolean resume) throws IOException {
        CausalLm model = TinyModel.random(new ScalarBackend(), true);
        Path output = Files.createDirectories(folder.resolve(name));
        TrainSettings settings = settings(0, false, new PreferenceLoss.DpoSigmoid(0.5, 0));
        RunIdentity identity = new RunIdentity(Map.of("seed", 3), Map.of(), settings.schedule(), Set.of(), Set.of());
        TrainingRun run = new TrainingRun(
                output, "model.safetensors", identity, Map.of(), 12, 4, 0, EvaluationPlan.NONE, 5, resume);
        ModelWriter writer = (to, type) -> Safetensors.write(
                to.resolve("model.safetensors"), model.parameters().slab().tensors(), Map.of());
        try (Trainer trainer = trainer(model, settings)) {
            trainer.observe(new Curious(model));
            run.run(trainer, writer, log -> {
                if (log.step() == stop && stop < 12) {
                    throw new IllegalStateException("killed");
                }
            });
        } catch (IllegalStateException e) {
            assertThat(e).hasMessage("killed");
        }
    }

    private static Trainer trainer(CausalLm model, TrainSettings settings) {
        return new Trainer(model, settings, PAIRS, Replay.of(DOCUMENTS), References.of(model, PAIRS, null));
    }

    private static List<Double> values(Slab slab) {
        return slab.tensors().stream()
                .flatMap(tensor -> IntStream.range(0, (int) tensor.size()).mapToObj(tensor::get))
                .toList();
    }

    private static TrainSettings settings(int microBatch, boolean checkpointing, PreferenceLoss loss) {
        return new TrainSettings(
                3,
                microBatch,
                true,
                new Schedule(Schedule.Kind.LINEAR, 3e-2, 0.1, 0, 30),
                AdamW.DEFAULT,
                0.1,
                1,
                loss,
                0.5,
                2,
                0.7,
                checkpointing,
                3);
    }
}
