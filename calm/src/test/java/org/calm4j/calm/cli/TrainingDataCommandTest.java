package org.calm4j.calm.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.calm4j.calm.data.HeldOut;
import org.calm4j.calm.experiment.ModelOnDisk;
import org.calm4j.engine.io.Json;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** How dpo and sft take their data: cut, packed, grouped and streamed. */
final class TrainingDataCommandTest {
    @TempDir
    private Path folder;

    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    @BeforeEach
    void files() throws IOException {
        ModelOnDisk.write(folder.resolve("model"));
        Random random = new Random(1);
        List<String> pairs = new ArrayList<>();
        List<String> texts = new ArrayList<>();
        for (int i = 0; i < 11; i++) {
            pairs.add("{\"prompt_input_ids\":[3,4," + (i % 3) + "],\"chosen_input_ids\":" + ids(random)
                    + ",\"rejected_input_ids\":" + ids(random) + "}");
            texts.add("{\"input_ids\":" + ids(random) + "}\n");
        }
        Files.write(folder.resolve("pairs.jsonl"), pairs);
        Files.write(folder.resolve("texts.jsonl"), texts);
    }

    private static String ids(Random random) {
        return random.ints(2 + random.nextInt(4), 0, 6).boxed().toList().toString();
    }

    private int calm(String... arguments) {
        out.getBuffer().setLength(0);
        err.getBuffer().setLength(0);
        return Calm.execute(new PrintWriter(out), new PrintWriter(err), arguments);
    }

    private int train(String command, String output, String... more) {
        return calm(Stream.concat(
                        Stream.of(
                                command,
                                "--model",
                                folder + "/model",
                                "--data",
                                folder + (command.equals("dpo") ? "/pairs.jsonl" : "/texts.jsonl"),
                                "--output",
                                folder.resolve(output).toString(),
                                "--max-steps",
                                "5",
                                "--batch-size",
                                "4",
                                "--learning-rate",
                                "1e-2",
                                "--save-steps",
                                "2",
                                "--json",
                                "--device",
                                "cpu"),
                        Stream.of(more))
                .toArray(String[]::new));
    }

    private void assertTrains(String command, String output, String... more) {
        assertThat(train(command, output, more)).as(err.toString()).isZero();
    }

    private byte[] weights(String output) throws IOException {
        return Files.readAllBytes(folder.resolve(output).resolve("model.safetensors"));
    }

    private JsonNode config(String output) {
        return Json.read(folder.resolve(output).resolve("train_config.json"), JsonNode.class);
    }

    private List<JsonNode> metrics(String output) throws IOException {
        List<JsonNode> lines = new ArrayList<>();
        for (String line : Files.readAllLines(folder.resolve(output).resolve("metrics.jsonl"))) {
            ObjectNode step = (ObjectNode) Json.mapper().readTree(line);
            step.remove("tokens_per_second");
            lines.add(step);
        }
        return lines;
    }

    @Tag("slow")
    @Test
    void streamedDataGiveTheSameBytes() throws IOException {
        for (String command : List.of("dpo", "sft")) {
            assertTrains(command, command);
            assertTrains(command, command + "-streamed", "--streaming");
            assertThat(weights(command + "-streamed")).isEqualTo(weights(command));
            assertThat(metrics(command + "-streamed")).isEqualTo(metrics(command));
            assertThat(config(command).has("streaming")).isFalse();
            assertThat(config(command + "-streamed").path("streaming").asBoolean())
                    .isTrue();
        }
        String[] grouped = {"--share-prompts", "--group-by-prompt"};
        assertTrains("dpo", "grouped", grouped);
        assertTrains("dpo", "grouped-streamed", "--share-prompts", "--group-by-prompt", "--streaming");
        assertThat(weights("grouped-streamed")).isEqualTo(weights("grouped"));
        assertTrains("dpo", "kto", "--loss-type", "kto");
        assertTrains("dpo", "kto-streamed", "--loss-type", "kto", "--streaming");
        assertThat(weights("kto-streamed")).isEqualTo(weights("kto"));
        // It does not decide, so that a run may go on without it.
        delete("dpo-streamed/checkpoint-4");
        assertTrains("dpo", "dpo-streamed", "--resume");
        assertThat(weights("dpo-streamed")).isEqualTo(weights("dpo"));
    }

    /** As if they were one file; of two {@code --data} the last one holds. */
    @Test
    void filesFollowOneAnother() throws IOException {
        List<String> lines = Files.readAllLines(folder.resolve("pairs.jsonl"));
        String first =
                Files.write(folder.resolve("first.jsonl"), lines.subList(0, 4)).toString();
        String rest =
                Files.write(folder.resolve("rest.jsonl"), lines.subList(4, 11)).toString();
        assertTrains("dpo", "one");
        assertTrains("dpo", "two", "--data", first, rest);
        assertThat(weights("two")).isEqualTo(weights("one"));
        assertTrains("dpo", "streamed", "--streaming", "--data", first, rest);
        assertThat(weights("streamed")).isEqualTo(weights("one"));
        assertThat(config("two").path("data")).hasSize(2);
        String begun = Files.write(
                        folder.resolve("begun.jsonl"),
                        Stream.of(lines.subList(0, 2), lines.subList(4, 6))
                                .flatMap(List::stream)
                                .toList())
                .toString();
        assertTrains("dpo", "begun", "--data", begun);
        assertTrains("dpo", "samples", "--data", first, rest, "--max-samples", "2");
        assertThat(weights("samples")).isEqualTo(weights("begun"));
    }

    /** What is held out is what another file could have. */
    @Test
    void linesAreHeldOutByTheSeed() throws IOException {
        List<String> lines = Files.readAllLines(folder.resolve("pairs.jsonl"));
        HeldOut parts = HeldOut.of(11, 0.2, 1);
        assertThat(parts.held()).hasSize(3);
        for (int[] part : List.of(parts.trained(), parts.held())) {
            Files.write(
                    folder.resolve(part.length + ".jsonl"),
                    Arrays.stream(part).mapToObj(lines::get).toList());
        }
        String[] apart = {"--data", folder + "/8.jsonl", "--eval-data", folder + "/3.jsonl", "--eval-steps", "2"};
        assertTrains("dpo", "apart", apart);
        assertTrains("dpo", "held", "--val-size", "0.2", "--eval-steps", "2");
        assertThat(weights("held")).isEqualTo(weights("apart"));
        assertThat(metrics("held")).isEqualTo(metrics("apart")).anyMatch(line -> line.has("eval_loss"));
        assertTrains("dpo", "streamed", "--val-size", "3", "--eval-steps", "2", "--streaming");
        assertThat(metrics("streamed")).isEqualTo(metrics("apart"));
        delete("held/checkpoint-4");
        assertThat(train("dpo", "held", "--val-size", "4", "--eval-steps", "2", "--resume"))
                .isEqualTo(3);
        assertThat(err.toString()).contains("val_size", "0.2", "4.0");
        assertThat(train("dpo", "none", "--val-size", "11")).isEqualTo(2);
        assertThat(train("dpo", "both", "--val-size", "1", "--eval-data", folder + "/3.jsonl"))
                .isEqualTo(2);
        assertThat(err.toString()).contains("--val-size does not go with --eval-data");
    }

    @Test
    void sharedPromptsChangeNothingButRounding() throws IOException {
        String[] options = {"--share-prompts", "--group-by-prompt", "--max-tokens", "30"};
        assertTrains("dpo", "grouped", "--group-by-prompt");
        assertTrains("dpo", "shared", options);
        List<JsonNode> right = metrics("grouped");
        List<JsonNode> given = metrics("shared");
        for (int i = 0; i < 5; i++) {
            for (String name : List.of("loss", "grad_norm", "rewards/margins", "num_tokens")) {
                double expected = right.get(i).path(name).asDouble();
                assertThat(given.get(i).path(name).asDouble())
                        .isCloseTo(expected, org.assertj.core.api.Assertions.within(1e-4 * Math.abs(expected) + 1e-5));
            }
        }
        assertThat(config("shared").path("share_prompts").asBoolean()).isTrue();
        byte[] before = weights("shared");
        delete("shared/checkpoint-4");
        assertTrains(
                "dpo",
                "shared",
                Stream.concat(Stream.of(options), Stream.of("--resume")).toArray(String[]::new));
        assertThat(weights("shared")).isEqualTo(before);
        assertThat(train("dpo", "shared", "--share-prompts", "--max-tokens", "30", "--resume"))
                .isEqualTo(3);
        assertThat(err.toString()).contains("made with group_by_prompt true, now it is its default");
        assertThat(train("sft", "wrong", "--share-prompts")).isEqualTo(2);
        assertThat(train("sft", "wrong", "--max-prompt-length", "3")).isEqualTo(2);
        assertThat(train("dpo", "wrong", "--assistant-only-loss")).isEqualTo(2);
        assertThat(folder.resolve("wrong")).doesNotExist();
    }

    @Test
    void cutsAreCountedAndDecide() throws IOException {
        assertTrains("dpo", "cut", "--max-length", "6");
        JsonNode result = Json.mapper().readTree(out.toString());
        assertThat(result.path("truncated_lines").asInt()).isBetween(1, 11);
        assertThat(result.path("truncated_tokens").asInt()).isPositive();
        assertThat(err.toString())
                .contains("cut " + result.path("truncated_lines").asInt() + " of 11 lines");
        assertThat(config("cut").path("max_length").asInt()).isEqualTo(6);
        assertThat(train("dpo", "cut", "--max-length", "5", "--resume")).isEqualTo(3);
        assertThat(err.toString()).contains("made with max_length 6, now it is 5");
        assertThat(train("dpo", "error", "--max-length", "6", "--truncation-mode", "error"))
                .isEqualTo(3);
        assertThat(err.toString()).contains("pairs.jsonl:", "longer than --max-length 6");
        assertTrains("dpo", "cut-at-the-start", "--max-length", "6", "--truncation-mode", "keep_end");
        assertThat(weights("cut-at-the-start")).isNotEqualTo(weights("cut"));
        // The same lines, cut beforehand: of a prompt of three tokens and a completion, three tokens of the completion.
        List<String> before = new ArrayList<>();
        for (String line : Files.readAllLines(folder.resolve("pairs.jsonl"))) {
            before.add(line.replaceAll("(_input_ids\":\\[\\d+, ?\\d+, ?\\d+)(, ?\\d+)*", "$1"));
        }
        Files.write(folder.resolve("pairs.jsonl"), before);
        assertTrains("dpo", "cut-beforehand");
        assertThat(weights("cut-beforehand")).isEqualTo(weights("cut"));
    }

    private void delete(String name) throws IOException {
        try (Stream<Path> files = Files.walk(folder.resolve(name))) {
            for (Path file : files.sorted(java.util.Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        }
    }
}
