package org.calm4j.engine.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Json;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Texts against those of Jinja2 (oracle/chat_templates.py), and templates that mean harm. */
final class ChatTemplateTest {
    private static final Path ORACLE = Path.of("src/test/resources/oracle/chat");
    private static final List<Map<String, Object>> HI = List.of(ChatTemplate.message("user", "hi"));

    @TempDir
    private Path folder;

    @Test
    void textsAreThoseOfJinja2() throws IOException {
        for (String line : Files.readAllLines(ORACLE.resolve("expected.jsonl"))) {
            JsonNode expected = Json.mapper().readTree(line);
            String source = Files.readString(ORACLE.resolve(expected.path("template").asText()));
            ChatTemplate template = new ChatTemplate(source, Map.of("bos_token", "<s>", "eos_token", "</s>"), "template");
            Map<String, Object> options = map(expected.path("options"));
            List<Map<String, Object>> messages = expected.path("messages").valueStream().map(ChatTemplateTest::map).toList();
            boolean prompt = expected.path("add_generation_prompt").asBoolean();
            if (expected.has("error")) {
                assertThatThrownBy(() -> template.render(messages, prompt, options)).as(line).isInstanceOf(CalmException.class)
                        .hasMessageContaining(expected.path("error").asText());
            } else {
                assertThat(template.render(messages, prompt, options)).as(line).isEqualTo(expected.path("text").asText());
            }
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
        Files.writeString(config,
                "{\"bos_token\":{\"content\":\"<s>\"},\"chat_template\":\"{{ bos_token }}{{ messages[0].content }}{{ eos_token }}\\n\"}");
        assertThat(ChatTemplate.read(folder).render(HI, false)).isEqualTo("<s>hi");
        Files.writeString(config,
                "{\"chat_template\":[{\"name\":\"tool_use\",\"template\":\"t\"},{\"name\":\"default\",\"template\":\"d\"}]}");
        assertThat(ChatTemplate.read(folder).render(HI, false)).isEqualTo("d");
        Files.writeString(folder.resolve("chat_template.jinja"), "j{% if add_generation_prompt %}p{% endif %}\n\n");
        assertThat(ChatTemplate.read(folder).render(HI, true)).isEqualTo("jp");
        Files.delete(folder.resolve("chat_template.jinja"));
        Files.writeString(config, "{\"chat_template\":[{\"name\":\"tool_use\",\"template\":\"t\"}]}");
        assertThatThrownBy(() -> ChatTemplate.read(folder)).isInstanceOf(CalmException.class).hasMessageContaining("default");
        Files.writeString(config, "{\"chat_template\":5}");
        assertThatThrownBy(() -> ChatTemplate.read(folder)).isInstanceOf(CalmException.class).hasMessageContaining("chat_template");
    }

    @Test
    void today() {
        String text = new ChatTemplate("{{ strftime_now is defined }} {{ strftime_now('%Y-%m-%d') }}", Map.of(), "t").render(HI, false);
        assertThat(text).matches("true \\d{4}-\\d\\d-\\d\\d");
    }

    /** Nothing is read, no class is reached, and it ends soon. */
    @ParameterizedTest
    @Timeout(60)
    @ValueSource(strings = {"{% include '/etc/passwd' %}", "{% import 'x' as y %}", "{% from 'x' import y %}", "{% extends 'x' %}",
        "{{ messages.getClass() }}", "{{ ''.getClass().forName('java.lang.Runtime') }}", "{{ ____int3rpr3t3r____.getContext() }}",
        "{{ 'a'.getBytes() }}",
        "{{ '{{ 1 }}'|render }}", "{{ '%1000000000d'|format(1) }}", "{{ 'a'|center(1000000000) }}", "{{ type(messages) }}",
        "{{ fn:list(1) }}",
        "{% for a in range(1000) %}{% for b in range(1000) %}{% for c in range(1000) %}x{% endfor %}{% endfor %}{% endfor %}",
        "{% for a in range(1000) %}{% for b in range(1000) %}{% endfor %}{% endfor %}",
        "{% set ns = namespace(s='abcdefgh') %}{% for i in range(1000) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
        "{% set ns = namespace(s=[1, 2]) %}{% for i in range(1000) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
        "{% set ns = namespace(s='xxxxxxxxxx') %}{% for i in range(99) %}{% set ns.s = ns.s|replace('x', 'xxxxxxxxxx') %}{% endfor %}",
        "{% macro f(x) %}{{ f(x) }}{{ f(x) }}{% endmacro %}{{ f(1) }}", "{% set ns = namespace() %}{% set ns.a = ns %}{{ ns|tojson }}",
        "{% do messages.append(1) %}", "{% do messages[0].update({'role': 'x'}) %}", "{{ 'a", "{% for x in y %}", "{% foo %}",
        "{{ 'a'|foo }}",
        "{{ foo(1) }}", "{{ 1 + }}", "{{ raise_exception('no') }}", "{{ strftime_now('%Q') }}", "{{ 1 % 0 }}", "{% if true %}"})
    void templatesCanDoNoHarm(String source) {
        assertThatThrownBy(() -> new ChatTemplate(source, Map.of(), "t").render(HI, true)).isInstanceOf(CalmException.class).message()
                .doesNotContain("\n").startsWith("t: ").hasSizeLessThan(700);
    }

    @Test
    @Timeout(60)
    void depthAndLengthAreBounded() {
        for (String source : List.of("{% if true %}".repeat(20_000) + "x" + "{% endif %}".repeat(20_000), "{{ " + "(".repeat(9000) + "1"
                + ")".repeat(9000) + " }}",
                "{{ " + "not ".repeat(4900) + "1 }}", "{{ " + "[".repeat(500) + "]".repeat(500) + " }}", "x".repeat(1_000_001),
                "{{ " + "'" + "a".repeat(30_000) + "' }}")) {
            Throwable thrown = catchThrowable(() -> new ChatTemplate(source, Map.of(), "t").render(HI, true));
            assertThat(thrown).as(source.substring(0, 20)).isInstanceOf(CalmException.class);
        }
    }

    @Test
    void braceInAMessageIsText() {
        String evil = "{{ 7*7 }}{% include 'x' %}{# #}";
        assertThat(new ChatTemplate("{{ messages[0]['content'] }}", Map.of(), "t").render(List.of(ChatTemplate.message("user", evil)),
                false))
                .isEqualTo(evil);
    }
}
