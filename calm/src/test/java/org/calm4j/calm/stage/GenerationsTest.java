package org.calm4j.calm.stage;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.calm4j.calm.option.Options;
import org.calm4j.calm.option.SavingOptions;
import org.calm4j.calm.option.TrainingOptions;
import org.calm4j.calm.run.Progress;
import org.calm4j.engine.generate.Generator;
import org.calm4j.engine.generate.Sampling;
import org.calm4j.engine.io.Jsonl;
import org.calm4j.engine.io.OutputFolder;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.model.OracleModel;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.simd.SimdBackend;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a model says while it is trained is what its checkpoints say, and asking changes nothing. */
class GenerationsTest {
    private static final List<String> TEXTS = List.of(
            "{\"input_ids\": [3, 1, 4, 1, 5, 9, 2, 6]}",
            "{\"input_ids\": [2, 7, 1, 8, 2, 8]}",
            "{\"input_ids\": [1, 6, 1, 8, 0, 3]}");

    @TempDir
    private Path folder;

    private final Backend backend = new SimdBackend(2);

    @AfterEach
    void close() {
        backend.close();
    }

    private Path train(String name, int steps, int rank, SavingOptions saving) throws IOException {
        Path data = Files.write(folder.resolve("texts.jsonl"), TEXTS);
        Map<String, Object> training =
                Map.of("max_steps", steps, "batch_size", 2, "learning_rate", 0.1, "lora_rank", rank);
        Path output = folder.resolve(name);
        new TrainStage(
                        "sft",
                        OracleModel.folder("llama-tied"),
                        null,
                        null,
                        data,
                        output,
                        Options.make(TrainingOptions.class, training),
                        null,
                        saving,
                        5)
                .run(backend, Progress.NONE);
        return output;
    }

    private Path prompts() throws IOException {
        return Files.write(
                folder.resolve("prompts.jsonl"),
                List.of("{\"id\": \"a\", \"input_ids\": [3, 1]}", "{\"id\": 2, \"input_ids\": [7]}"));
    }

    private String said(Path model, Path adapter, int... prompt) {
        try (ModelFolder open = ModelFolder.open(backend, model, adapter)) {
            int limit = open.model().config().positions().limit();
            var sampling = Sampling.greedy(Math.min(64, limit - 2));
            return Arrays.toString(new Generator(open)
                    .generate(List.of(prompt), sampling, done -> {})
                    .getFirst()
                    .getFirst()
                    .tokens());
        }
    }

    @Test
    void aCheckpointSaysTheSame() throws IOException {
        for (int rank : new int[] {0, 2}) {
            Path run = train("run-" + rank, 5, rank, SavingOptions.every(2, false, 2, prompts()));
            Path start = OracleModel.folder("llama-tied");
            List<String> expected = new ArrayList<>();
            for (String at : new String[] {"", "checkpoint-2", "checkpoint-4", "."}) {
                boolean adapter = rank > 0 && !at.isEmpty();
                Path model = at.isEmpty() || rank > 0 ? start : run.resolve(at);
                expected.add(said(model, adapter ? run.resolve(at) : null, 3, 1));
                expected.add(said(model, adapter ? run.resolve(at) : null, 7));
            }
            List<JsonNode> lines = Jsonl.read(run.resolve("generations.jsonl"), JsonNode.class);
            assertThat(lines.stream().map(line -> line.path("step").asInt())).containsExactly(0, 0, 2, 2, 4, 4, 5, 5);
            assertThat(lines.stream().map(line -> line.path("completion").asText()))
                    .isEqualTo(expected);
            assertThat(lines.getFirst().toString()).startsWith("{\"step\":0,\"id\":\"a\",\"prompt\":[3,1],");

            Path silent = train("silent-" + rank, 5, rank, SavingOptions.every(2, false));
            String weights = rank == 0 ? "model.safetensors" : "adapter_model.safetensors";
            assertThat(run.resolve(weights)).hasSameBinaryContentAs(silent.resolve(weights));
        }
    }

    @Test
    void aResumedRunHasEachLineOnce() throws IOException {
        SavingOptions saving = SavingOptions.every(2, false, 1, prompts());
        Path whole = train("whole", 4, 0, saving);
        Path stopped = train("stopped", 4, 0, saving);
        // As after a kill at step 4: the checkpoint of step 4 and the model are not there.
        try (OutputFolder files = OutputFolder.open(stopped, line -> {})) {
            files.delete(stopped.resolve("checkpoint-4"));
            files.delete(stopped.resolve("model.safetensors"));
        }
        train("stopped", 4, 0, SavingOptions.every(2, true, 1, prompts()));
        assertThat(stopped.resolve("generations.jsonl")).hasSameBinaryContentAs(whole.resolve("generations.jsonl"));
    }

    /** Whatever a kill leaves of the files that grow: nothing yet, half a line, lines of an earlier run. */
    @Test
    void whatAKillLeavesIsMadeWhole() throws IOException {
        Path whole = train("whole", 4, 0, SavingOptions.every(0, false, 2, prompts()));
        Path begun = train("begun", 4, 0, SavingOptions.every(0, false, 2, prompts()));
        String earlier = "{\"step\":0,\"id\":\"other\"}\n{\"step\":9}\n";
        for (String left : List.of("", "{\"step\":0,\"id\":\"a\",\"pro", earlier, earlier + "{\"st")) {
            Files.writeString(begun.resolve("generations.jsonl"), left);
            Files.writeString(begun.resolve("metrics.jsonl"), left);
            train("begun", 4, 0, SavingOptions.every(0, true, 2, prompts()));
            assertThat(begun.resolve("generations.jsonl"))
                    .as(left)
                    .hasSameBinaryContentAs(whole.resolve("generations.jsonl"));
            assertThat(Jsonl.readMaps(begun.resolve("metrics.jsonl")))
                    .extracting(line -> line.get("step"))
                    .endsWith(1, 2, 3, 4)
                    .doesNotContain(9);
        }
    }
}
