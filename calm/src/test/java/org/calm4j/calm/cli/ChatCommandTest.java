package org.calm4j.calm.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.calm4j.calm.experiment.ModelOnDisk;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.text.Tokenizer;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Conversations through a pipe, as scripts have them. */
final class ChatCommandTest {
    private static final String TEMPLATE = "{% for m in messages %}{{ m.role }} {{ m.content }} {% endfor %}"
            + "{% if add_generation_prompt %}assistant{% endif %}";

    @TempDir
    private Path folder;

    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    @BeforeEach
    void model() {
        ModelOnDisk.write(folder);
        List<String> words = IntStream.range(0, 12).mapToObj(i -> "w" + i).toList();
        List<String> roles = List.of("user", "assistant", "system");
        Tokenizer.wordLevel(Stream.concat(roles.stream(), words.stream()).toList(), "<unk>", "<eos>")
                .save(folder);
    }

    private void template() {
        ObjectNode config = (ObjectNode) Json.read(folder.resolve("tokenizer_config.json"), JsonNode.class);
        config.put("chat_template", TEMPLATE);
        Json.write(folder.resolve("tokenizer_config.json"), config);
    }

    private int chat(String input, String... options) {
        out.getBuffer().setLength(0);
        err.getBuffer().setLength(0);
        InputStream before = System.in;
        System.setIn(new ByteArrayInputStream(input.getBytes(StandardCharsets.UTF_8)));
        try {
            List<String> arguments =
                    new ArrayList<>(List.of("chat", "--model", folder.toString(), "--max-new-tokens", "4"));
            arguments.addAll(List.of(options));
            return Calm.execute(new PrintWriter(out), new PrintWriter(err), arguments.toArray(String[]::new));
        } finally {
            System.setIn(before);
        }
    }

    @Test
    void eachLineIsAnsweredAndResetBeginsAnew() throws IOException {
        template();
        String[] sampled = {"--temperature", "1", "--seed", "3"};
        assertThat(chat("w1 w2\nw3\n/reset\nw1 w2\n\nw3\n/exit\nw9\n", sampled))
                .as(err.toString())
                .isZero();
        List<String> answers = out.toString().lines().toList();
        assertThat(answers).hasSize(4);
        assertThat(answers.subList(2, 4)).isEqualTo(answers.subList(0, 2));
        assertThat(answers).anyMatch(answer -> !answer.isBlank());
        String first = answers.getFirst();

        // The same as generate gives for what the template writes.
        Path input = Files.writeString(folder.resolve("in.jsonl"), "{\"id\":0,\"prompt\":\"user w1 w2 assistant\"}\n");
        out.getBuffer().setLength(0);
        assertThat(Calm.execute(
                        new PrintWriter(out),
                        new PrintWriter(err),
                        "generate",
                        "--model",
                        folder.toString(),
                        "--input",
                        input.toString(),
                        "--max-new-tokens",
                        "4",
                        "--temperature",
                        "1",
                        "--seed",
                        "3"))
                .isZero();
        assertThat(Json.mapper()
                        .readTree(out.toString())
                        .path("completions")
                        .path(0)
                        .path("text")
                        .asText())
                .isEqualTo(first);
    }

    @Test
    void theSystemMessageAndTheModelsOwnSettingsAreHeeded() throws IOException {
        template();
        chat("w1\n", "--json");
        String greedy = out.toString();
        assertThat(chat("w1\n", "--json", "--system", "w7 w7 w7")).isZero();
        assertThat(out.toString()).isNotEqualTo(greedy);
        Files.writeString(folder.resolve("generation_config.json"), "{\"do_sample\":true,\"temperature\":50.0}");
        assertThat(chat("w1\n", "--json")).isZero();
        assertThat(out.toString()).isNotEqualTo(greedy);
        assertThat(Json.mapper().readTree(out.toString()).path("finish_reason").asText())
                .isIn("eos", "length");
        chat("w1\n", "--json", "--temperature", "0");
        assertThat(out.toString()).isEqualTo(greedy);
        Files.writeString(folder.resolve("generation_config.json"), "{\"top_p\":7}");
        assertThat(chat("w1\n")).isEqualTo(3);
        assertThat(err.toString()).contains("top_p");
    }

    @Test
    void aModelWithoutTemplateGoesOnWithTheText() {
        assertThat(chat("w3 w4 w5\n", "--temperature", "1")).isZero();
        assertThat(err.toString()).contains("no chat template");
        assertThat(out.toString()).isNotBlank();
        assertThat(chat("w1\n", "--system", "w2")).isEqualTo(3);
        assertThat(err.toString()).contains("--system");
    }

    @Test
    void aConversationThatIsTooLongIsBadInput() {
        template();
        assertThat(chat("w1 w2 w3 w4 w5 w6 w7 w8\n", "--context-length", "6")).isEqualTo(3);
        assertThat(err.toString()).contains("limited to 6");
    }
}
