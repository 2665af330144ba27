package org.calm4j.calm.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.calm4j.calm.experiment.ModelOnDisk;
import org.calm4j.engine.io.Json;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a run goes on with is known by content, not by name; weights that are not finite, lines and options are named or taken as promised. */
final class ResumedInputsTest {
    private static final String PAIR =
            "{\"prompt_input_ids\":[3],\"chosen_input_ids\":[4,5],\"rejected_input_ids\":[5]}";

    @TempDir
    private Path folder;

    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    @BeforeEach
    void files() throws IOException {
        for (String model : List.of("model", "reference", "other")) {
            ModelOnDisk.write(folder.resolve(model));
        }
        for (String name : List.of("pairs.jsonl", "eval.jsonl")) {
            Files.writeString(folder.resolve(name), PAIR + "\n");
        }
        Files.writeString(folder.resolve("replay.jsonl"), "{\"input_ids\":[3,4]}\n");
    }

    private int calm(List<String> arguments) {
        out.getBuffer().setLength(0);
        err.getBuffer().setLength(0);
        return Calm.execute(new PrintWriter(out), new PrintWriter(err), arguments.toArray(String[]::new));
    }

    private List<String> dpo(String data, String... more) {
        List<String> arguments = new ArrayList<>(List.of(
                "dpo",
                "--model",
                folder + "/model",
                "--reference-model",
                folder + "/reference",
                "--data",
                data,
                "--replay",
                folder + "/replay.jsonl",
                "--eval-data",
                folder + "/eval.jsonl",
                "--eval-steps",
                "2",
                "--output",
                folder + "/o",
                "--max-steps",
                "2",
                "--save-steps",
                "2",
                "--quiet"));
        arguments.addAll(List.of(more));
        return arguments;
    }

    @Test
    void aChangeUnderTheSameNameIsRefusedAndAnotherNameIsNot() throws IOException {
        assertThat(calm(dpo(folder + "/pairs.jsonl"))).as(err.toString()).isZero();
        byte[] config = Files.readAllBytes(folder.resolve("o/train_config.json"));
        assertThat(Json.read(folder.resolve("o/train_config.json"), JsonNode.class)
                        .path("data")
                        .asText())
                .isEqualTo(folder + "/pairs.jsonl");
        // The same files by other names.
        assertThat(calm(dpo(folder + "/model/../pairs.jsonl", "--resume", "--model", folder + "/./other")))
                .as(err.toString())
                .isZero();
        assertThat(calm(dpo(folder + "/pairs.jsonl", "--resume")))
                .as(err.toString())
                .isZero();
        for (String name : List.of(
                "pairs.jsonl data",
                "replay.jsonl replay",
                "eval.jsonl eval_data",
                "model/config.json model",
                "reference/config.json reference_model")) {
            Path file = folder.resolve(name.substring(0, name.indexOf(' ')));
            String before = Files.readString(file);
            Files.writeString(file, before + "\n");
            assertThat(calm(dpo(folder + "/pairs.jsonl", "--resume"))).as(name).isEqualTo(3);
            assertThat(err.toString())
                    .contains("made with " + name.substring(name.indexOf(' ') + 1), "whose content has changed since");
            assertThat(Files.readAllBytes(folder.resolve("o/train_config.json")))
                    .isEqualTo(config);
            Files.writeString(file, before);
        }
        Path others = Files.writeString(folder.resolve("others.jsonl"), PAIR + PAIR.replace("{", "\n{"));
        assertThat(calm(dpo(others.toString(), "--resume"))).isEqualTo(3);
        assertThat(err.toString()).contains("pairs.jsonl, now it is " + others + " with other content");
        assertThat(calm(dpo(folder + "/pairs.jsonl", "--resume"))).isZero();
    }

    /** What differs is named with both values; what does not touch the arithmetic may differ. */
    @Test
    void aRunGoesFurtherWhereItsPastStays() throws IOException {
        String data = folder + "/pairs.jsonl";
        assertThat(calm(dpo(data, "--resume"))).as(err.toString()).isZero();
        List<String> changed = dpo(data, "--resume", "--batch-size", "4", "--beta", "0.3").stream()
                .filter(word -> !word.equals("--quiet"))
                .toList();
        assertThat(calm(changed)).isEqualTo(3);
        assertThat(err.toString())
                .contains("made with batch_size 8, now it is 4; with beta 0.1, now it is 0.3")
                .as("before anything is computed")
                .doesNotContain("reference:");
        assertThat(calm(dpo(data, "--resume", "--max-steps", "4"))).isEqualTo(3);
        assertThat(err.toString())
                .contains(
                        "step 2 was taken at learning rate 2.5E-5 (linear), now it would be ",
                        "max_steps 2 → 4, steps 2 → 4",
                        "--lr-scheduler constant");
        assertThat(calm(dpo(data, "--resume", "--gradient-checkpointing", "--logging-steps", "2", "--save-steps", "1")))
                .as(err.toString())
                .isZero();
        Files.writeString(folder.resolve("o/checkpoint-2/trainer_state.json"), "{");
        assertThat(calm(dpo(data, "--resume"))).isEqualTo(3);
        assertThat(err.toString())
                .contains("trainer_state.json", "The checkpoint is damaged: remove the folder checkpoint-2");
    }

    @Test
    void theLastOfAnOptionGivenTwiceHolds() {
        List<String> twice = new ArrayList<>(List.of(
                "generate",
                "--prompt",
                "x",
                "--max-new-tokens",
                "1",
                "--max-new-tokens",
                "2",
                "--model",
                folder + "/nothing",
                "--model",
                folder + "/model",
                "--quiet",
                "--quiet",
                "--input",
                folder + "/in.jsonl"));
        assertThat(calm(twice)).as("two that exclude each other").isEqualTo(2);
        twice.removeAll(List.of("--prompt", "x"));
        assertThat(calm(twice)).isEqualTo(3);
        assertThat(err.toString()).contains("in.jsonl: no such file");
        assertThat(calm(dpo(
                        folder + "/nothing.jsonl",
                        "--data",
                        folder + "/pairs.jsonl",
                        "--beta",
                        "0",
                        "--beta",
                        "0.2",
                        "--lr-scheduler",
                        "square",
                        "--lr-scheduler",
                        "cosine",
                        "--loss-type",
                        "hinge")))
                .as(err.toString())
                .isEqualTo(2);
        assertThat(calm(dpo(
                        folder + "/nothing.jsonl", "--data", folder + "/pairs.jsonl", "--beta", "0", "--beta", "0.2")))
                .as(err.toString())
                .isZero();
    }

    @Test
    void weightsThatAreNotFiniteAreNamed() throws IOException {
        // The last element of the last tensor.
        Path file = folder.resolve("model/model.safetensors");
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
            channel.write(ByteBuffer.wrap(new byte[] {0, 0, (byte) 0xC0, 0x7F}), channel.size() - 4);
        }
        Files.writeString(folder.resolve("in.jsonl"), "{\"id\":1,\"input_ids\":[3,4,5],\"completion_start\":1}\n");
        List<String> score = List.of(
                "score",
                "--model",
                folder + "/model",
                "--input",
                folder + "/in.jsonl",
                "--output",
                folder + "/scores.jsonl");
        assertThat(calm(score)).isEqualTo(3);
        assertThat(err.toString()).contains("tensor model.", "is NaN; the model's weights are broken");
        assertThat(folder.resolve("scores.jsonl")).doesNotExist();
        assertThat(calm(List.of("generate", "--model", folder + "/model", "--input", folder + "/in.jsonl")))
                .isEqualTo(3);
        assertThat(calm(dpo(folder + "/pairs.jsonl"))).isEqualTo(3);
        assertThat(err.toString()).contains("is NaN; the model's weights are broken");
        assertThat(calm(List.of(
                        "sft",
                        "--model",
                        folder + "/model",
                        "--data",
                        folder + "/replay.jsonl",
                        "--output",
                        folder + "/s")))
                .isEqualTo(3);
    }

    @Test
    void messagesAboutALineNameIt() throws IOException {
        String ok = "{\"id\":1,\"input_ids\":[3,4,5],\"completion_start\":1}\n";
        String tooLong = "{\"id\":2,\"input_ids\":" + Collections.nCopies(65, 3) + ",\"completion_start\":1}\n";
        Path in = Files.writeString(folder.resolve("in.jsonl"), ok + tooLong);
        for (String command : List.of("score", "generate", "sft")) {
            List<String> arguments = new ArrayList<>(List.of(
                    command,
                    "--model",
                    folder + "/model",
                    command.equals("sft") ? "--data" : "--input",
                    in.toString(),
                    "--output",
                    folder + "/out"));
            assertThat(calm(arguments)).as(command).isEqualTo(3);
            assertThat(err.toString()).as(command).contains(in + ":2: ", "65 tokens", "max_position_embeddings");
        }
        Files.writeString(in, ok + "{\"id\":2,\"prompt\":\"a\",\"completion\":\"b\"}\n");
        for (String command : List.of("score", "generate", "sft")) {
            List<String> arguments = new ArrayList<>(List.of(
                    command,
                    "--model",
                    folder + "/model",
                    command.equals("sft") ? "--data" : "--input",
                    in.toString(),
                    "--output",
                    folder + "/out"));
            assertThat(calm(arguments)).as(command).isEqualTo(3);
            assertThat(err.toString()).as(command).contains(in + ":2: ", "tokenizer.json");
        }
    }
}
