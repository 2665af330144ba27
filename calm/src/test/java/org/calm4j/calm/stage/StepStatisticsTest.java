package org.calm4j.calm.stage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.calm4j.calm.option.InspectOptions;
import org.calm4j.calm.option.Options;
import org.calm4j.calm.option.PreferenceOptions;
import org.calm4j.calm.option.SavingOptions;
import org.calm4j.calm.option.TrainingOptions;
import org.calm4j.calm.run.Progress;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Jsonl;
import org.calm4j.engine.model.Gradients;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.model.OracleModel;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.simd.SimdBackend;
import org.calm4j.engine.tensor.HostBuffer;
import org.calm4j.engine.tensor.Tensor;
import org.calm4j.engine.train.StepObserver;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class StepStatisticsTest {
    private static final String PAIRS = """
            {"id": "a", "language": "en", "prompt_input_ids": [3, 1], "chosen_input_ids": [4, 1], "rejected_input_ids": [5]}
            {"id": "a", "language": "ja", "prompt_input_ids": [2], "chosen_input_ids": [7, 1], "rejected_input_ids": [8, 2, 8]}
            {"id": "b", "language": "en", "prompt_input_ids": [9, 2, 6], "chosen_input_ids": [5], "rejected_input_ids": [3]}
            {"id": "b", "language": "ja", "prompt_input_ids": [1, 6], "chosen_input_ids": [1, 8], "rejected_input_ids": [0, 3]}
            """;
    private static final String PROBE = """
            {"id": "x", "language": "en", "input_ids": [3, 1, 2]}
            {"id": "y", "language": "en", "input_ids": [5, 5]}
            {"id": "z", "language": "en", "input_ids": [9]}
            {"id": "x", "language": "ja", "input_ids": [4, 1]}
            {"id": "y", "language": "ja", "input_ids": [6, 2, 8]}
            {"id": "z", "language": "ja", "input_ids": [7]}
            """;

    private static final long MOST_HEAP = 256 << 10;

    @TempDir
    private Path folder;

    private final Backend backend = new SimdBackend(2);

    @AfterEach
    void close() {
        backend.close();
    }

    private Path file(String name, String text) throws IOException {
        return Files.writeString(folder.resolve(name), text);
    }

    private Path train(String name, String pairs, InspectOptions inspect, boolean resume) throws IOException {
        return train(name, pairs, inspect, resume, Map.of("beta", 0.3));
    }

    private Path train(
            String name, String pairs, InspectOptions inspect, boolean resume, Map<String, Object> preference)
            throws IOException {
        Map<String, Object> training =
                Map.of("max_steps", 6, "batch_size", 4, "learning_rate", 1e-2, "lora_rank", 2, "lora_dropout", 0.2);
        new TrainStage(
                        "dpo",
                        OracleModel.folder("llama-tied"),
                        null,
                        null,
                        List.of(file("pairs.jsonl", pairs)),
                        folder.resolve(name),
                        Options.make(TrainingOptions.class, training),
                        Options.make(PreferenceOptions.class, preference),
                        SavingOptions.every(2, resume),
                        inspect,
                        5)
                .run(backend, Progress.NONE);
        return folder.resolve(name);
    }

    private InspectOptions options(Map<String, Object> more) throws IOException {
        Map<String, Object> given = new HashMap<>(Map.of("every", 3, "share", 0.5, "probe_every", 2));
        given.put("probe", file("probe.jsonl", PROBE));
        given.putAll(more);
        return Options.make(InspectOptions.class, given);
    }

    /** Measuring changes no bit of the training and no other number of its log, and all names are those of the document. */
    @Test
    void measuringChangesNoBit() throws IOException {
        Path without = train("without", PAIRS, null, false);
        Path with = train("with", PAIRS, options(Map.of()), false);
        for (String file : List.of("adapter_model.safetensors", "checkpoint-4/optimizer.safetensors")) {
            assertThat(with.resolve(file)).hasSameBinaryContentAs(without.resolve(file));
        }
        List<Map<String, Object>> lines = Jsonl.readMaps(with.resolve("metrics.jsonl"));
        List<Map<String, Object>> plain = Jsonl.readMaps(without.resolve("metrics.jsonl"));
        TreeSet<String> names = new TreeSet<>();
        for (int step = 0; step < 6; step++) {
            Map<String, Object> line = lines.get(step);
            boolean measured = line.keySet().stream().anyMatch(key -> key.startsWith("inspect/"));
            assertThat(measured).isEqualTo(step != 0 && step != 4);
            line.keySet().stream().filter(key -> key.startsWith("inspect/")).forEach(names::add);
            line.keySet().removeIf(key -> key.startsWith("inspect/") || key.equals("tokens_per_second"));
            plain.get(step).remove("tokens_per_second");
        }
        assertThat(lines).isEqualTo(plain);
        assertThat(names)
                .contains(
                        "inspect/activation_norm/0",
                        "inspect/activation_norm/1",
                        "inspect/attention_entropy/1",
                        "inspect/cka/0/en_ja",
                        "inspect/cka/2/en_ja",
                        "inspect/dead_units/0",
                        "inspect/gradient_cosine/en_ja",
                        "inspect/gradient_square",
                        "inspect/gradient_variance",
                        "inspect/grad_norm_z",
                        "inspect/loss_z",
                        "inspect/margins/en",
                        "inspect/margins/ja")
                .doesNotContain("inspect/outlier");
        String document = Files.readString(Path.of("..", "docs", "inspect-training.md"));
        assertThat(names).allSatisfy(name -> assertThat(document)
                .contains("`" + name.replaceAll("/\\d+", "/L").replaceAll("en_ja|\\ben\\b|\\bja\\b", "…") + "`"));
        assertThat(Json.read(with.resolve("train_config.json"), JsonNode.class)
                        .path("inspect")
                        .path("every")
                        .asInt())
                .isEqualTo(3);
        assertThat(Json.read(without.resolve("train_config.json"), JsonNode.class)
                        .has("inspect"))
                .isFalse();
    }

    @Test
    void aResumedRunMeasuresTheSame() throws IOException {
        Path whole = train("whole", PAIRS, options(Map.of("every", 1)), false);
        Path cut = train("cut", PAIRS, options(Map.of("every", 1)), false);
        for (String file : List.of("adapter_model.safetensors", "checkpoint-6/trainer_state.json")) {
            Files.delete(cut.resolve(file));
        }
        train("cut", PAIRS, options(Map.of("every", 1)), true);
        List<Map<String, Object>> lines = Jsonl.readMaps(whole.resolve("metrics.jsonl"));
        List<Map<String, Object>> resumed = Jsonl.readMaps(cut.resolve("metrics.jsonl"));
        lines.forEach(line -> line.remove("tokens_per_second"));
        resumed.forEach(line -> line.remove("tokens_per_second"));
        assertThat(resumed).isEqualTo(lines);
    }

    /** With kto the two completions of a pair are lines of their own, all chosen ones first: both are of the pair's language. */
    @Test
    void completionsApartAreOfTheirPairs() throws IOException {
        Map<String, Object> kto = Map.of("loss_type", List.of("kto"), "beta", 0.3);
        Path with = train("kto", PAIRS, options(Map.of("every", 1, "share", 1)), false, kto);
        Path without = train("plain", PAIRS, null, false, kto);
        assertThat(with.resolve("adapter_model.safetensors"))
                .hasSameBinaryContentAs(without.resolve("adapter_model.safetensors"));
        assertThat(Jsonl.readMaps(with.resolve("metrics.jsonl")))
                .allSatisfy(line -> assertThat(line).doesNotContainKey("inspect/margins/en"))
                .anySatisfy(line -> assertThat(line).containsKey("inspect/gradient_cosine/en_ja"));
    }

    @Test
    void whatIsMissingIsSaid() throws IOException {
        String silent = PAIRS.replace("\"language\": \"ja\", ", "");
        assertThatThrownBy(() -> train("a", silent, options(Map.of("statistics", List.of("margins"))), false))
                .hasMessageContaining("margins needs pairs, each with its language");
        assertThatThrownBy(() -> train("b", silent, options(Map.of("statistics", List.of("gradient_cosine"))), false))
                .hasMessageContaining("needs lines with language");
        // All that the data allow.
        train("c", silent, options(Map.of()), false);
        assertThatThrownBy(() -> options(Map.of("statistics", List.of("norm")))).hasMessageContaining("has no norm");
        Path broken = file(
                "broken.jsonl",
                PROBE.replace("\"id\": \"z\", \"language\": \"ja\"", "\"id\": \"w\", \"language\": \"ja\""));
        assertThatThrownBy(() -> train("d", PAIRS, options(Map.of("probe", broken)), false))
                .hasMessageContaining("the texts in ja have other ids than those in en");
    }

    /** All of it in every step takes what it takes at first: native memory to the byte, and the heap but for what a run keeps of its log. */
    @Test
    @Tag("slow")
    void fiveHundredMeasuredStepsTakeNoMoreMemory() throws IOException {
        Map<Long, Long> nativeBytes = new HashMap<>();
        Map<Long, Long> heapBytes = new HashMap<>();
        Progress watching = new Progress() {
            @Override
            public void start(String task, long total, long before) {}

            @Override
            public void at(long step, String note) {
                if (step == 100 || step == 500) {
                    nativeBytes.put(step, HostBuffer.taken());
                    System.gc();
                    heapBytes.put(
                            step,
                            ManagementFactory.getMemoryMXBean()
                                    .getHeapMemoryUsage()
                                    .getUsed());
                }
            }

            @Override
            public void end() {}

            @Override
            public void say(String line) {}
        };
        Path output = folder.resolve("long");
        Backend alone = new SimdBackend(1);
        new TrainStage(
                        "dpo",
                        OracleModel.folder("llama-tied"),
                        null,
                        null,
                        List.of(file("pairs.jsonl", PAIRS)),
                        output,
                        Options.make(TrainingOptions.class, Map.of("max_steps", 500, "batch_size", 4)),
                        Options.make(PreferenceOptions.class, Map.of()),
                        SavingOptions.every(0, false),
                        options(Map.of("every", 1, "probe_every", 1, "outlier_z", 1)),
                        5)
                .run(alone, watching);
        alone.close();
        assertThat(Files.readString(output.resolve("metrics.jsonl"))).contains("inspect/outlier", "inspect/cka/");
        assertThat(nativeBytes.get(500L)).isEqualTo(nativeBytes.get(100L)).isPositive();
        // One vector of the size of an activation kept in each step would be more.
        assertThat(heapBytes.get(500L) - heapBytes.get(100L)).isLessThan(MOST_HEAP);
    }

    /** Cosines and noise of gradients that are known. */
    @Test
    void figuresOfKnownGradients() throws IOException {
        Path data = file("known.jsonl", PAIRS);
        InspectOptions options = Options.make(InspectOptions.class, Map.of("every", 1, "share", 0.5));
        try (ModelFolder model = ModelFolder.open(backend, OracleModel.folder("llama-tied"), null);
                StepStatistics statistics = new StepStatistics(options, model, List.of(data), null, 4, true, 4)) {
            // Of four lines the first and the third, one in either language.
            List<StepObserver.Line> lines = IntStream.of(0, 2, 1, 3)
                    .mapToObj(line -> new StepObserver.Line(line, 0.25, line, List.of((double) line)))
                    .toList();
            Map<String, Object> found = statistics.observe(new Known(lines, 1, 3));
            assertThat(found).containsEntry("inspect/margins/en", 1.0).containsEntry("inspect/margins/ja", 2.0);
            // Gradients of twice (3, 4) and twice (0, 2) have inner products 100, 32 and 16.
            assertThat((double) found.get("inspect/gradient_cosine/en_ja"))
                    .isCloseTo(32 / Math.sqrt(1600), within(1e-6));
            assertThat((double) found.get("inspect/gradient_square")).isCloseTo((4 * 9 - 2 * 180) / 2.0, within(1e-4));
            assertThat((double) found.get("inspect/gradient_variance"))
                    .isCloseTo((180 - 9) / (1 / 2.0 - 1 / 4.0), within(1e-3));
            assertThat(found).doesNotContainKey("inspect/noise_scale");
        }
    }

    /** An outlier has its lines, with the largest gradient first. */
    @Test
    void outliersNameTheirLines() throws IOException {
        Path data = file("known.jsonl", PAIRS);
        InspectOptions options = Options.make(InspectOptions.class, Map.of("every", 1000, "outlier_z", 5));
        try (ModelFolder model = ModelFolder.open(backend, OracleModel.folder("llama-tied"), null);
                StepStatistics statistics = new StepStatistics(options, model, List.of(data), null, 4, true, 4);
                StepStatistics resumed = new StepStatistics(options, model, List.of(data), null, 4, true, 4)) {
            List<StepObserver.Line> lines = IntStream.of(0, 2)
                    .mapToObj(line -> new StepObserver.Line(line, 0.25, line, List.of((double) line)))
                    .toList();
            for (int step = 1; step < 40; step++) {
                assertThat(statistics.observe(new Known(lines, step, 3 + 0.1 * (step % 2))))
                        .isEmpty();
            }
            resumed.resume(statistics.state());
            Map<String, Object> found = statistics.observe(new Known(lines, 40, 4));
            assertThat(resumed.observe(new Known(lines, 40, 4))).isEqualTo(found);
            assertThat((double) found.get("inspect/grad_norm_z")).isGreaterThan(5);
            assertThat(Json.mapper().valueToTree(found.get("inspect/outlier")).toString())
                    .isEqualTo("[{\"line\":1,\"id\":\"a\",\"language\":\"en\",\"loss\":0.0,\"grad_norm\":5.0},"
                            + "{\"line\":3,\"id\":\"b\",\"language\":\"en\",\"loss\":2.0,\"grad_norm\":2.0}]");
        }
    }

    /** A step in which the mean gradient of line 0 is (3, 4, 0 …), and that of the others (0, 2, 0 …). */
    private record Known(List<StepObserver.Line> lines, int number, double gradientNorm) implements StepObserver.Step {
        @Override
        public double loss() {
            return 1;
        }

        @Override
        public Gradients gradients() {
            throw new UnsupportedOperationException();
        }

        @Override
        public void gradient(int[] places, double[] scales, Gradients to) {
            double[] sum = new double[2];
            for (int i = 0; i < places.length; i++) {
                StepObserver.Line line = lines.get(places[i]);
                double scale = scales[i] * line.factor() * (number == 1 ? 4 : 1);
                sum[0] += scale * (line.line() == 0 ? 3 : 0);
                sum[1] += scale * (line.line() == 0 ? 4 : 2);
            }
            for (Tensor tensor : to.slab().tensors()) {
                tensor.set(0, 0);
                tensor.set(1, 0);
            }
            Tensor first = to.slab().tensors().iterator().next();
            first.set(0, sum[0]);
            first.set(1, sum[1]);
        }
    }
}
