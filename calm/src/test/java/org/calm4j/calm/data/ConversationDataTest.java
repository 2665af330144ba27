package org.calm4j.calm.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.calm4j.calm.tool.TokenizeStage;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.chat.ChatTemplate;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.text.BpeTrainer;
import org.calm4j.engine.text.Tokenizer;
import org.calm4j.engine.train.Example;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Lists of messages in training data and in {@code tokenize}, through the model's chat template. */
final class ConversationDataTest {
    private static final String TEMPLATE =
            "{% for m in messages %}{% if m.role == 'tool' %}{{ raise_exception('No tools') }}{% endif %}"
                    + "{{ m.role + ': ' + m.content | trim + '<end>\\n' }}{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}";
    private static final String PROMPT = "user: Why?<end>\nassistant: ";

    @TempDir
    private Path folder;

    private Tokenizer tokenizer;
    private TrainingData data;

    @BeforeEach
    void model() throws IOException {
        BpeTrainer.train(List.of("user assistant because"), 270, "<end>").save(folder);
        Path config = folder.resolve("tokenizer_config.json");
        Json.write(config, Json.read(config, ObjectNode.class).put("chat_template", TEMPLATE));
        tokenizer = Tokenizer.read(folder);
        data = new TrainingData(tokenizer, ChatTemplate.read(folder), tokenizer.size());
    }

    /** LLaMA-Factory's form for KTO, and its instructions as a user's messages. */
    @Test
    void theLastMessageIsTheCompletion() throws IOException {
        Path file = write(
                "{\"messages\":[{\"role\":\"user\",\"content\":\"Why?\"},{\"role\":\"assistant\",\"content\":\"Because.\"}],\"label\":true}");
        Example.Unpaired line = data.unpaired(file).getFirst();
        assertThat(tokenizer.decode(line.prompt(), false)).isEqualTo(PROMPT);
        assertThat(tokenizer.decode(line.completion(), false)).isEqualTo("Because.<end>");
        assertThatThrownBy(
                        () -> data.unpaired(
                                write(
                                        "{\"messages\":[{\"role\":\"user\",\"content\":\"Why?\"},{\"role\":\"user\",\"content\":\"So?\"}],\"label\":true}")))
                .hasMessageContaining("must end with what the assistant says");
        Path instructions = write("{\"instruction\":\"Why?\",\"input\":\"\",\"output\":\"Because.\"}");
        assertThat(tokenizer.decode(data.documents(instructions).getFirst().tokens(), false))
                .isEqualTo("Why?Because.<end>");
        assertThat(tokenizer.decode(
                        data.talking().documents(instructions).getFirst().tokens(), false))
                .isEqualTo(PROMPT + "Because.<end>");
    }

    @Test
    void pairsOfMessages() throws IOException {
        String asked = "[{\"role\":\"user\",\"content\":\"Why?\"}]";
        Path file = write(
                "{\"prompt\":" + asked + ",\"chosen\":[{\"role\":\"assistant\",\"content\":\" Because. \"}],"
                        + "\"rejected\":\"No.\"}",
                "{\"prompt\":\"Why?\",\"chosen\":\"Because.\",\"rejected\":\"No.\",\"chosen_source\":\"sampled\"}",
                "{\"prompt\":\"Why?\",\"chosen\":\"Because.\",\"rejected\":\"No.\"}");
        List<Example.Preference> pairs = data.pairs(file);
        // The turn's own end token is the last one, and there is one of it.
        for (Example.Preference pair : pairs.subList(0, 2)) {
            assertThat(tokenizer.decode(pair.prompt(), false)).isEqualTo(PROMPT);
            assertThat(tokenizer.decode(pair.chosen(), false)).isEqualTo("Because.<end>");
            assertThat(tokenizer.decode(pair.rejected(), false)).isEqualTo("No.<end>");
        }
        assertThat(pairs.get(1).prompt()).isEqualTo(pairs.get(0).prompt());
        assertThat(tokenizer.decode(pairs.get(2).prompt(), false)).isEqualTo("Why?");
    }

    /** CALM's own pairs and documents ask as sampling did, with examples as turns before the question. */
    @Test
    void turnsBeforeASampledQuestion() throws IOException {
        String before = "\"history\":[[\"Who?\",\"Me.\"]]";
        String prompt = "user: Who?<end>\nassistant: Me.<end>\n" + PROMPT;
        Path file =
                write("{\"prompt\":\"Why?\",\"chosen\":\"Because.\",\"rejected\":\"No.\",\"chosen_source\":\"sampled\","
                        + before + "}");
        Example.Preference pair = data.pairs(file).getFirst();
        assertThat(tokenizer.decode(pair.prompt(), false)).isEqualTo(prompt);
        assertThat(tokenizer.decode(pair.chosen(), false)).isEqualTo("Because.<end>");
        Path learned =
                write("{\"prompt\":\"Why?\",\"completion\":\"Because.\",\"chosen_source\":\"sampled\"," + before + "}");
        assertThat(tokenizer.decode(data.documents(learned).getFirst().tokens(), false))
                .isEqualTo(prompt + "Because.<end>");
        Path broken = write(
                "{\"prompt\":\"Why?\",\"chosen\":\"A\",\"rejected\":\"B\",\"chosen_source\":\"sampled\",\"history\":[\"Who?\"]}");
        assertThatThrownBy(() -> data.pairs(broken))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining(broken + ":1")
                .hasMessageContaining("history");
    }

    @Test
    void documentsOfMessages() throws IOException {
        String talk = "{\"role\":\"user\",\"content\":\"Why?\"}";
        String answer = "{\"role\":\"assistant\",\"content\":\"So.\"}";
        List<Example.Document> documents = data.documents(write(
                "{\"messages\":[" + talk + "," + answer + "]}",
                "{\"prompt\":[" + talk + "],\"completion\":[" + answer + "]}"));
        assertThat(tokenizer.decode(documents.get(0).tokens(), false)).isEqualTo(PROMPT + "So.<end>\n");
        assertThat(documents.get(0).from()).isEqualTo(1);
        assertThat(tokenizer.decode(documents.get(1).tokens(), false)).isEqualTo(PROMPT + "So.<end>");
        assertThat(documents.get(1).from()).isEqualTo(tokenizer.encode(PROMPT, false).length);
    }

    /** Pieces of a text are tokenised apart; those without loss are read only, and the end is learnt where the last piece is. */
    @Test
    void documentsOfSegments() throws IOException {
        List<Example.Document> documents = data.documents(
                write(
                        "{\"segments\":[{\"text\":\"a because\",\"loss\":true},{\"text\":\" user\",\"loss\":false},{\"text\":\" so\",\"loss\":true}]}",
                        "{\"segments\":[{\"text\":\"a\",\"loss\":false},{\"text\":\" so\",\"loss\":true},{\"text\":\" user\",\"loss\":false}]}"));
        assertThat(documents).extracting(this::learnt).containsExactly(" because so<end>", " so");
        assertThat(tokenizer.decode(documents.get(0).tokens(), false)).isEqualTo("a because user so<end>");
        assertThat(documents.get(0).from()).isEqualTo(1);
        for (String broken : List.of(
                "[]",
                "[{\"text\":\"a\",\"loss\":false}]",
                "[{\"text\":\"a b\"}]",
                "[{\"text\":1,\"loss\":true}]",
                "7")) {
            Path file = write("{\"segments\":" + broken + "}");
            assertThatThrownBy(() -> data.documents(file))
                    .isInstanceOf(CalmException.class)
                    .hasMessageContaining(file + ":1")
                    .hasMessageContaining("segments");
        }
    }

    private String learnt(Example.Document document) {
        return tokenizer.decode(
                document.learnt().stream().map(i -> document.tokens()[i]).toArray(), false);
    }

    @Test
    void tokenize() throws IOException {
        Path file = write(
                "{\"id\":7,\"messages\":[{\"role\":\"user\",\"content\":\"Why?\"}],\"add_generation_prompt\":true}",
                "{\"id\":\"x\",\"messages\":[{\"role\":\"user\",\"content\":\"Why?\"}]}",
                "{\"id\":3,\"text\":\"a\"}");
        Path output = folder.resolve("tokens.jsonl");
        assertThat(new TokenizeStage(folder, file, output, true).run()).isEqualTo(3);
        List<String> lines = Files.readAllLines(output);
        JsonNode first = Json.mapper().readTree(lines.get(0));
        assertThat(first.path("decoded").asText()).isEqualTo(PROMPT);
        assertThat(first.path("id").asInt()).isEqualTo(7);
        assertThat(first.path("input_ids")).hasSize(tokenizer.encode(PROMPT, false).length);
        assertThat(Json.mapper().readTree(lines.get(1)).path("decoded").asText())
                .isEqualTo("user: Why?<end>\n");
    }

    @Test
    void whatIsWrongNamesTheLine() throws IOException {
        for (String messages :
                List.of("[]", "5", "[{\"role\":\"user\"}]", "[\"hi\"]", "[{\"role\":\"tool\",\"content\":\"\"}]")) {
            Path file = write("{\"text\":\"a b\"}", "{\"messages\":" + messages + "}");
            assertThatThrownBy(() -> data.documents(file))
                    .as(messages)
                    .isInstanceOf(CalmException.class)
                    .hasMessageContaining(file + ":2")
                    .message()
                    .doesNotContain("\n");
        }
        BpeTrainer.train(List.of("a"), 260, "<end>").save(folder);
        Path file = write("{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}");
        assertThatThrownBy(
                        () -> new TrainingData(Tokenizer.read(folder), ChatTemplate.read(folder), 300).documents(file))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("chat template")
                .hasMessageContaining(file + ":1");
    }

    private Path write(String... lines) throws IOException {
        return Files.write(folder.resolve("data.jsonl"), List.of(lines));
    }
}
