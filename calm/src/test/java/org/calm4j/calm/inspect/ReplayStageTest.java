package org.calm4j.calm.inspect;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.calm4j.calm.option.Options;
import org.calm4j.calm.option.PreferenceOptions;
import org.calm4j.calm.option.SavingOptions;
import org.calm4j.calm.option.TrainingOptions;
import org.calm4j.calm.run.Progress;
import org.calm4j.calm.stage.TrainStage;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Jsonl;
import org.calm4j.engine.io.OutputFolder;
import org.calm4j.engine.io.Safetensors;
import org.calm4j.engine.model.OracleModel;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.simd.SimdBackend;
import org.calm4j.engine.tensor.Tensor;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class ReplayStageTest {
    private static final String PAIRS = """
            {"language": "en", "prompt_input_ids": [3, 1], "chosen_input_ids": [4, 1], "rejected_input_ids": [5]}
            {"language": "ja", "prompt_input_ids": [2], "chosen_input_ids": [7, 1], "rejected_input_ids": [8, 2, 8]}
            {"language": "en", "prompt_input_ids": [9, 2, 6], "chosen_input_ids": [5], "rejected_input_ids": [3]}
            {"language": "fr", "prompt_input_ids": [1, 6], "chosen_input_ids": [1, 8], "rejected_input_ids": [0, 3]}
            {"language": "ja", "prompt_input_ids": [4], "chosen_input_ids": [6], "rejected_input_ids": [6, 9]}
            """;

    @TempDir
    private Path folder;

    private final Backend backend = new SimdBackend(2);

    @AfterEach
    void close() {
        backend.close();
    }

    private Path train(String name, String pairs, int saveSteps) throws IOException {
        return train(name, pairs, saveSteps, Map.of("beta", 0.3));
    }

    private Path train(String name, String pairs, int saveSteps, Map<String, Object> preference) throws IOException {
        Path data = Files.writeString(folder.resolve(name + ".jsonl"), pairs);
        stage(data, folder.resolve(name), SavingOptions.every(saveSteps, false), preference)
                .run(backend, Progress.NONE);
        return folder.resolve(name);
    }

    private TrainStage stage(Path data, Path output, SavingOptions saving, Map<String, Object> preference) {
        Map<String, Object> training = Map.of(
                "max_steps",
                6,
                "batch_size",
                2,
                "learning_rate",
                1e-2,
                "lora_rank",
                2,
                "lora_dropout",
                0.2,
                "warmup_ratio",
                0.3);
        return new TrainStage(
                "dpo",
                OracleModel.folder("llama-tied"),
                null,
                null,
                data,
                output,
                Options.make(TrainingOptions.class, training),
                Options.make(PreferenceOptions.class, preference),
                saving,
                5);
    }

    private Path replay(Path run, int step, String language, Set<Integer> lines) {
        Path output = folder.resolve("step-" + step + "-" + language + lines.size());
        new ReplayStage(run, output, step, language, lines, 0, Map.of()).run(backend, Progress.NONE);
        return output;
    }

    private static void assertSameTensors(Path one, Path other) throws IOException {
        for (String name : new String[] {"adapter_model.safetensors", "optimizer.safetensors"}) {
            assertThat(one.resolve(name)).hasSameBinaryContentAs(other.resolve(name));
        }
    }

    @Test
    void aStepIsTheRunsOwn() throws IOException {
        Path run = train("run", PAIRS, 1);
        for (int step : new int[] {1, 4, 6}) {
            Path replayed = replay(run, step, null, Set.of());
            assertSameTensors(replayed, run.resolve("checkpoint-" + step));
            assertThat(files(replayed)).isEqualTo(files(run.resolve("checkpoint-" + step)));
        }
    }

    private static Set<String> files(Path folder) throws IOException {
        try (var files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString()).collect(Collectors.toSet());
        }
    }

    @Test
    void itStartsAtTheNearestCheckpoint() throws IOException {
        Path often = train("often", PAIRS, 1);
        Path seldom = train("seldom", PAIRS, 4);
        assertSameTensors(replay(seldom, 5, null, Set.of()), often.resolve("checkpoint-5"));
    }

    @Test
    void withoutALanguageItIsARunThatNeverHadIt() throws IOException {
        Path run = train("all", PAIRS, 2);
        String others = PAIRS.lines().filter(line -> !line.contains("\"ja\"")).collect(Collectors.joining("\n"));
        Path without = train("others", others, 6);
        assertSameTensors(replay(run, 6, "ja", Set.of()), without.resolve("checkpoint-6"));
        assertSameTensors(replay(run, 6, null, Set.of(2, 5)), without.resolve("checkpoint-6"));
    }

    @Test
    void aLineThatIsNotThereIsNotLeftOut() throws IOException {
        Path run = train("run", PAIRS, 6);
        assertThatThrownBy(() -> replay(run, 1, null, Set.of(1, 999)))
                .hasMessageContaining(" has 999; the data have 1 to");
        assertThat(folder.resolve("step-1-null2")).doesNotExist();
    }

    private ReplayStage.Summary changed(Path run, String name, Map<String, String> changes) {
        return new ReplayStage(run, folder.resolve(name), 6, null, Set.of(), 0, changes).run(backend, Progress.NONE);
    }

    /** Another setting gives the run that always had it, and what differs is told, whether the run's own step was kept or not. */
    @Test
    void withAnotherSettingItIsARunThatAlwaysHadIt() throws IOException {
        Path run = train("own", PAIRS, 2);
        Path other = train("other", PAIRS, 6, Map.of("loss_type", List.of("ipo", "sft"), "beta", 0.5));
        Map<String, String> changes = Map.of("loss_type", "[ipo, sft]", "beta", "0.5");
        ReplayStage.Summary kept = changed(run, "kept", changes);
        assertSameTensors(folder.resolve("kept"), other.resolve("checkpoint-6"));
        ReplayDifference difference = kept.difference();
        assertThat(kept.why()).isNull();
        try (Safetensors one = Safetensors.open(run.resolve("adapter_model.safetensors"));
                Safetensors two = Safetensors.open(other.resolve("adapter_model.safetensors"))) {
            double squares = 0;
            double was = 0;
            for (var tensor : difference.tensors()) {
                double norm = 0;
                double square = 0;
                Tensor from = one.tensors().get(tensor.name());
                for (int i = 0; i < from.size(); i++) {
                    double x = from.get(i);
                    square += Math.pow(two.tensors().get(tensor.name()).get(i) - x, 2);
                    norm += x * x;
                }
                assertThat(tensor.frobenius()).isCloseTo(Math.sqrt(square), within(1e-12));
                assertThat(tensor.relative()).isCloseTo(Math.sqrt(square / norm), within(1e-12));
                squares += square;
                was += norm;
            }
            assertThat(difference.tensors()).hasSize(one.tensors().size());
            assertThat(difference.relative())
                    .isCloseTo(Math.sqrt(squares / was), within(1e-12))
                    .isPositive();
        }
        ObjectNode own = line(run, 6);
        ObjectNode theirs = line(other, 6);
        assertThat(difference.metrics()).containsKeys("loss", "rewards/margins").doesNotContainKey("tokens_per_second");
        difference.metrics().forEach((name, metric) -> {
            assertThat(metric.run()).as(name).isEqualTo(own.path(name).asDouble());
            assertThat(metric.changed()).as(name).isEqualTo(theirs.path(name).asDouble());
        });
        Files.move(run.resolve("checkpoint-6"), folder.resolve("gone"));
        ReplayStage.Summary made = changed(run, "made", changes);
        assertThat(made.exact()).isTrue();
        assertThat(made.difference()).usingRecursiveComparison().isEqualTo(difference);
        try (var left = Files.list(folder)) {
            assertThat(left.map(file -> file.getFileName().toString())).noneMatch(name -> name.startsWith("."));
        }
    }

    private Path after(int step, Path run, String name, String language, Map<String, String> changes) {
        Path output = folder.resolve(name);
        ReplayStage.Summary summary =
                new ReplayStage(run, output, 6, language, Set.of(), step, changes).run(backend, Progress.NONE);
        assertThat(summary.why()).isNull();
        assertThat(summary.difference().relative()).isPositive();
        return output;
    }

    /** Another way to the same: a run whose checkpoint is told that it was always of the changed settings and data, resumed. */
    private Path resumed(Path run, int step, Path data, Map<String, Object> preference) throws IOException {
        Path output = folder.resolve("resumed-" + step + data.getFileName());
        Path checkpoint = Files.createDirectories(output.resolve("checkpoint-" + step));
        for (String file : files(run.resolve("checkpoint-" + step))) {
            Files.copy(run.resolve("checkpoint-" + step).resolve(file), checkpoint.resolve(file));
        }
        ObjectNode state = Json.read(checkpoint.resolve("trainer_state.json"), ObjectNode.class);
        ObjectNode settings = (ObjectNode) state.get("settings");
        settings.put("data", data.toString());
        preference.forEach((key, value) -> settings.set(key, Json.mapper().valueToTree(value)));
        ((ObjectNode) state.get("inputs")).remove("data");
        Json.write(checkpoint.resolve("trainer_state.json"), state);
        try (OutputFolder own = OutputFolder.open(output, line -> {})) {
            own.adopt(List.of(checkpoint));
        }
        stage(data, output, SavingOptions.every(6, true), preference).run(backend, Progress.NONE);
        return output.resolve("checkpoint-6");
    }

    /** A change from a step on starts at the run's own weights and moments of that step, whether its checkpoint was kept or not. */
    @Test
    void aChangeFromAStepOnLeavesTheStepsBefore() throws IOException {
        Path often = train("often", PAIRS, 1);
        Path seldom = train("seldom", PAIRS, 2);
        Map<String, String> beta = Map.of("beta", "0.9");
        Path wanted = resumed(often, 3, folder.resolve("often.jsonl"), Map.of("beta", 0.9));
        assertSameTensors(after(3, often, "kept", null, beta), wanted);
        assertSameTensors(after(3, seldom, "made", null, beta), wanted);
        assertThat(after(0, often, "start", null, beta).resolve("optimizer.safetensors"))
                .isNotEmptyFile()
                .content(StandardCharsets.ISO_8859_1)
                .isNotEqualTo(Files.readString(wanted.resolve("optimizer.safetensors"), StandardCharsets.ISO_8859_1));
        String others = PAIRS.lines().filter(line -> !line.contains("\"ja\"")).collect(Collectors.joining("\n"));
        Path without = Files.writeString(folder.resolve("others.jsonl"), others);
        assertSameTensors(after(4, often, "without", "ja", Map.of()), resumed(often, 4, without, Map.of("beta", 0.3)));
        try (var left = Files.list(folder)) {
            assertThat(left.map(file -> file.getFileName().toString())).noneMatch(name -> name.startsWith("."));
        }
        assertThatThrownBy(() -> after(6, often, "a", null, beta)).hasMessageContaining("below");
        assertThatThrownBy(() -> after(-1, often, "b", null, beta)).hasMessageContaining("at least 0");
        assertThatThrownBy(() -> after(3, often, "c", null, Map.of())).hasMessageContaining("nothing is changed");
        assertThatThrownBy(() -> after(3, often, "d", null, Map.of("lora_rank", "3")))
                .hasMessageContaining("is missing or has another size");
    }

    private static ObjectNode line(Path run, int step) {
        return Jsonl.read(run.resolve("metrics.jsonl"), ObjectNode.class).get(step - 1);
    }

    @Test
    void aSettingThatIsNoneIsWrongUsage() throws IOException {
        Path run = train("settings", PAIRS, 0);
        assertThatThrownBy(() -> changed(run, "a", Map.of("betta", "1")))
                .hasMessageContaining("no setting of that name");
        assertThatThrownBy(() -> changed(run, "b", Map.of("beta", "high"))).hasMessageContaining("set");
        assertThatThrownBy(() -> changed(run, "c", Map.of("beta", "-1"))).hasMessageContaining("must be above 0");
        assertThatThrownBy(() -> changed(run, "d", Map.of("loss_type", "none"))).hasMessageContaining("none");
        assertThat(folder.resolve("a")).doesNotExist();
    }

    /** A run whose losses do not come out again says at which step, and why that may be. */
    @Test
    void aRunThatWasAnotherSaysSo() throws IOException {
        Path run = train("another", PAIRS, 0);
        assertThat(changed(run, "same", Map.of()).exact()).isTrue();
        Path metrics = run.resolve("metrics.jsonl");
        List<ObjectNode> lines = Jsonl.read(metrics, ObjectNode.class);
        lines.get(2).put("grad_norm", 0.125);
        Jsonl.write(metrics, lines);
        ReplayStage.Summary summary = changed(run, "differs", Map.of());
        assertThat(summary.exact()).isFalse();
        assertThat(summary.why())
                .startsWith("step 3 had grad_norm 0.125, and now it is")
                .contains("have changed since");
        Path config = run.resolve("train_config.json");
        Files.writeString(config, Files.readString(config).replace("\"cpu\"", "\"cuda: a GPU\""));
        assertThat(changed(run, "elsewhere", Map.of()).why()).contains("it ran on cuda: a GPU, this is cpu");
        Files.delete(metrics);
        assertThat(changed(run, "unknown", Map.of()).exact()).isNull();
    }

    @Test
    void whatCannotBeReplayedSaysWhy() throws IOException {
        Path run = train("changed", PAIRS, 2);
        assertThatThrownBy(() -> replay(run, 7, null, Set.of())).hasMessageContaining("from 1 to the run's 6");
        assertThatThrownBy(() -> replay(run, 2, "xx", Set.of())).hasMessageContaining("no line that would be left out");
        assertThatThrownBy(() -> replay(folder, 2, null, Set.of())).hasMessageContaining("is not the output folder of");
        Path data = folder.resolve("changed.jsonl");
        Files.writeString(data, PAIRS.replace("[9, 2, 6]", "[9, 2, 7]"));
        assertThatThrownBy(() -> replay(run, 3, null, Set.of())).hasMessageContaining("content has changed since");
        Files.delete(data);
        assertThatThrownBy(() -> replay(run, 4, null, Set.of())).hasMessageContaining("is gone");
    }
}
