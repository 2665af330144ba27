package org.calm4j.engine.chat;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.assertj.core.api.SoftAssertions;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Json;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Texts against those of Jinja2 (oracle/chat_templates.py), and where a folder has its template. */
final class ChatTemplateTest {
    private static final Path ORACLE = Path.of("src/test/resources/oracle/chat");
    private static final List<Map<String, Object>> HI = List.of(ChatTemplate.message("user", "hi"));

    @TempDir
    private Path folder;

    @Test
    void textsAreThoseOfJinja2() throws IOException {
        List<String> lines = Files.readAllLines(ORACLE.resolve("expected.jsonl"));
        JsonNode given = Json.mapper().readTree(lines.getFirst());
        Map<String, ChatTemplate> templates = new HashMap<>();
        SoftAssertions all = new SoftAssertions();
        for (String line : lines.subList(1, lines.size())) {
            JsonNode expected = Json.mapper().readTree(line);
            ChatTemplate template =
                    templates.computeIfAbsent(expected.path("template").asText(), ChatTemplateTest::template);
            Map<String, Object> options =
                    map(given.path("options").path(expected.path("options").asInt()));
            List<Map<String, Object>> messages = given.path("conversations")
                    .path(expected.path("conversation").asInt())
                    .valueStream()
                    .map(ChatTemplateTest::map)
                    .toList();
            boolean prompt = expected.path("add_generation_prompt").asBoolean();
            if (expected.has("error")) {
                all.assertThatThrownBy(() -> template.render(messages, prompt, options))
                        .as(line)
                        .isInstanceOf(CalmException.class)
                        .hasMessageContaining(expected.path("error").asText())
                        .hasMessageMatching("template: line \\d+ .*");
            } else {
                all.assertThatCode(() -> assertThat(template.render(messages, prompt, options))
                                .isEqualTo(expected.path("text").asText()))
                        .as(line)
                        .doesNotThrowAnyException();
            }
        }
        assertThat(templates).hasSize(12);
        all.assertAll();
    }

    private static ChatTemplate template(String name) {
        try {
            return new ChatTemplate(
                    Files.readString(ORACLE.resolve(name)),
                    Map.of("bos_token", "<s>", "eos_token", "</s>"),
                    "template");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @SuppressWarnings("unchecked")
    private static Map<String, Object> map(JsonNode json) {
        return Json.mapper().convertValue(json, Map.class);
    }

    @Test
    void foldersSayItInThreeWays() throws IOException {
        assertThat(ChatTemplate.read(folder)).isNull();
        Path config = folder.resolve("tokenizer_config.json");
        Files.writeString(
                config,
                "{\"bos_token\":{\"content\":\"<s>\"},\"chat_template\":\"{{ bos_token }}{{ messages[0].content }}{{ eos_token }}\\n\"}");
        assertThat(ChatTemplate.read(folder).render(HI, false)).isEqualTo("<s>hi");
        Files.writeString(
                config,
                "{\"chat_template\":[{\"name\":\"tool_use\",\"template\":\"t\"},{\"name\":\"default\",\"template\":\"d\"}]}");
        assertThat(ChatTemplate.read(folder).render(HI, false)).isEqualTo("d");
        assertThat(ChatTemplate.read(folder).render(HI, false, Map.of("tools", List.of())))
                .isEqualTo("t");
        Files.writeString(config, "{\"chat_template\":{\"default\":\"d\",\"rag\":\"r\"}}");
        assertThat(ChatTemplate.read(folder).render(HI, false, Map.of("tools", List.of())))
                .isEqualTo("d");
        // Read, though broken: text needs no template.
        Files.writeString(config, "{\"chat_template\":\"{% if\"}");
        ChatTemplate broken = ChatTemplate.read(folder);
        assertThatThrownBy(() -> broken.render(HI, false))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("line 1");
        Files.writeString(folder.resolve("chat_template.jinja"), "j{% if add_generation_prompt %}p{% endif %}\n\n");
        assertThat(ChatTemplate.read(folder).render(HI, true)).isEqualTo("jp");
        Files.delete(folder.resolve("chat_template.jinja"));
        Files.writeString(config, "{\"chat_template\":[{\"name\":\"tool_use\",\"template\":\"t\"}]}");
        assertThatThrownBy(() -> ChatTemplate.read(folder))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("default");
        Files.writeString(config, "{\"chat_template\":5}");
        assertThatThrownBy(() -> ChatTemplate.read(folder))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("chat_template");
    }

    @Test
    void today() {
        String text = new ChatTemplate("{{ strftime_now is defined }} {{ strftime_now('%Y-%m-%d') }}", Map.of(), "t")
                .render(HI, false);
        assertThat(text).matches("True \\d{4}-\\d\\d-\\d\\d");
    }

    @Test
    void braceInAMessageIsText() {
        String evil = "{{ 7*7 }}{% include 'x' %}{# #}";
        assertThat(new ChatTemplate("{{ messages[0]['content'] }}", Map.of(), "t")
                        .render(List.of(ChatTemplate.message("user", evil)), false))
                .isEqualTo(evil);
    }

    @Test
    @Timeout(300)
    void brokenTemplatesAreErrorsOfOneLine() throws IOException {
        String whole = Files.readString(Path.of("src/test/resources/oracle/chat/dated.jinja"));
        Random random = new Random(6);
        String marks = "{}%#-'\"[]()|.+ not is in if for ";
        for (int i = 0; i < 300; i++) {
            StringBuilder source = new StringBuilder(whole);
            for (int n = 1 + random.nextInt(4); n > 0; n--) {
                int at = random.nextInt(source.length());
                if (random.nextBoolean()) {
                    source.setCharAt(at, marks.charAt(random.nextInt(marks.length())));
                } else {
                    source.delete(at, Math.min(source.length(), at + random.nextInt(40)));
                }
            }
            try {
                new ChatTemplate(source.toString(), Map.of("bos_token", "<s>"), "t")
                        .render(List.of(ChatTemplate.message("user", "hi")), true);
            } catch (CalmException e) {
                assertThat(e.getMessage()).startsWith("t: ").doesNotContain("\n");
            }
        }
    }
}
