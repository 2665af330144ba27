package org.calm4j.calm.inspect;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.calm4j.calm.option.Options;
import org.calm4j.calm.option.PreferenceOptions;
import org.calm4j.calm.option.SavingOptions;
import org.calm4j.calm.option.TrainingOptions;
import org.calm4j.calm.run.Progress;
import org.calm4j.calm.stage.TrainStage;
import org.calm4j.engine.model.OracleModel;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.simd.SimdBackend;
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
        Path data = Files.writeString(folder.resolve(name + ".jsonl"), pairs);
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
        new TrainStage(
                        "dpo",
                        OracleModel.folder("llama-tied"),
                        null,
                        null,
                        data,
                        folder.resolve(name),
                        Options.make(TrainingOptions.class, training),
                        Options.make(PreferenceOptions.class, Map.of("beta", 0.3)),
                        SavingOptions.every(saveSteps, false),
                        5)
                .run(backend, Progress.NONE);
        return folder.resolve(name);
    }

    private Path replay(Path run, int step, String language, Set<Integer> lines) {
        Path output = folder.resolve("step-" + step + "-" + language + lines.size());
        new ReplayStage(run, output, step, language, lines).run(backend, Progress.NONE);
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
