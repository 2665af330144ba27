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
import java.util.List;
import org.calm4j.calm.experiment.ModelOnDisk;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.text.Tokenizer;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Lines with messages in {@code generate} and {@code score}: the ids of {@code tokenize}, through the chat template. */
final class MessagesTest {
    private static final String TEMPLATE = "{% for m in messages %}{{ m.role }} {{ m.content }} <eos>{% endfor %}"
            + "{% if add_generation_prompt %}assistant {% endif %}";
    private static final String ASKED = "[{\"role\":\"user\",\"content\":\"w1 w2\"}]";

    @TempDir
    private Path folder;

    private final StringWriter err = new StringWriter();

    @BeforeEach
    void model() {
        ModelOnDisk.write(folder);
        Tokenizer.wordLevel(List.of("user", "assistant", "w1", "w2", "w3"), "<unk>", "<eos>")
                .save(folder);
        ObjectNode config = Json.read(folder.resolve("tokenizer_config.json"), ObjectNode.class);
        Json.write(folder.resolve("tokenizer_config.json"), config.put("chat_template", TEMPLATE));
    }

    private int calm(String command, String... lines) throws IOException {
        err.getBuffer().setLength(0);
        Path input = Files.write(folder.resolve("in.jsonl"), List.of(lines));
        List<String> arguments = new ArrayList<>(List.of(
                command,
                "--model",
                folder.toString(),
                "--input",
                input.toString(),
                "--output",
                folder.resolve("out.jsonl").toString()));
        arguments.addAll(command.equals("generate") ? List.of("--max-new-tokens", "4") : List.of());
        return Calm.execute(
                new PrintWriter(new StringWriter()), new PrintWriter(err), arguments.toArray(String[]::new));
    }

    private List<JsonNode> results(String command, String... lines) throws IOException {
        assertThat(calm(command, lines)).as(err.toString()).isZero();
        return Files.readAllLines(folder.resolve("out.jsonl")).stream()
                .map(MessagesTest::json)
                .toList();
    }

    private static JsonNode json(String line) {
        try {
            return Json.mapper().readTree(line);
        } catch (IOException e) {
            throw new AssertionError(line, e);
        }
    }

    @Test
    void generate() throws IOException {
        JsonNode ids = results("tokenize", "{\"id\":0,\"messages\":" + ASKED + ",\"add_generation_prompt\":true}")
                .getFirst()
                .path("input_ids");
        assertThat(ids).hasSize(5);
        List<JsonNode> results = results(
                "generate",
                "{\"id\":0,\"input_ids\":" + ids + "}",
                "{\"id\":1,\"messages\":" + ASKED + "}",
                "{\"id\":2,\"prompt\":" + ASKED + "}",
                "{\"id\":3,\"prompt\":\"w1 w2\"}");
        assertThat(results).extracting(line -> line.path("id").asInt()).containsExactly(0, 1, 2, 3);
        assertThat(results.get(1).path("completions"))
                .isEqualTo(results.get(0).path("completions"))
                .isEqualTo(results.get(2).path("completions"))
                .isNotEqualTo(results.get(3).path("completions"));
    }

    /** A completion of messages ends with the token that ends its turn. */
    @Test
    void score() throws IOException {
        JsonNode all = results("tokenize", "{\"id\":0,\"text\":\"user w1 w2 <eos>assistant w3 <eos>\"}")
                .getFirst()
                .path("input_ids");
        List<JsonNode> scores = results(
                "score",
                "{\"id\":0,\"input_ids\":" + all + ",\"completion_start\":5}",
                "{\"id\":0,\"prompt\":" + ASKED + ",\"completion\":[{\"role\":\"assistant\",\"content\":\"w3\"}]}",
                "{\"id\":0,\"prompt\":" + ASKED + ",\"completion\":\"w3\"}");
        assertThat(scores.get(0).path("logprobs")).hasSize(2);
        assertThat(scores).containsOnly(scores.getFirst());
    }

    @Test
    void whatIsWrongNamesTheLine() throws IOException {
        for (String line : List.of(
                "\"messages\":\"w1\"", "\"messages\":[]", "\"prompt\":[{\"role\":\"user\"}]", "\"text\":\"w1\"")) {
            assertThat(calm("generate", "{\"id\":1,\"prompt\":\"w1\"}", "{\"id\":2," + line + "}"))
                    .as(line)
                    .isEqualTo(3);
            assertThat(err.toString()).contains("in.jsonl:2").doesNotContain("string");
        }
        for (String completion : List.of("7", "[]", "null")) {
            assertThat(calm("score", "{\"id\":2,\"prompt\":" + ASKED + ",\"completion\":" + completion + "}"))
                    .isEqualTo(3);
            assertThat(err.toString()).contains("in.jsonl:1: completion must be");
        }
        Tokenizer.wordLevel(List.of("w1"), "<unk>", "<eos>").save(folder);
        assertThat(calm("generate", "{\"id\":1,\"messages\":" + ASKED + "}")).isEqualTo(3);
        assertThat(err.toString()).contains("in.jsonl:1").contains("no chat template");
    }
}
