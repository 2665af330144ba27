package org.calm4j.engine.jinja;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.assertj.core.api.SoftAssertions;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Json;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Each construct against Jinja2 (oracle/jinja_constructs.py), and templates that mean harm. */
final class TemplateTest {
    private static final Path TABLE = Path.of("src/test/resources/oracle/jinja/constructs.jsonl");

    @Test
    @SuppressWarnings("unchecked")
    void constructsAreThoseOfJinja2() throws IOException {
        List<String> lines = Files.readAllLines(TABLE);
        Map<String, Object> values = Json.mapper()
                .convertValue(Json.mapper().readTree(lines.getFirst()).path("values"), Map.class);
        String before = Json.compact(values);
        SoftAssertions all = new SoftAssertions();
        for (String line : lines.subList(1, lines.size())) {
            JsonNode expected = Json.mapper().readTree(line);
            String text = rendered(expected.path("source").asText(), values);
            all.assertThat(text)
                    .as(line)
                    .isEqualTo(
                            expected.has("error") ? null : expected.path("text").asText());
        }
        all.assertAll();
        assertThat(lines).hasSizeGreaterThan(500);
        assertThat(Json.compact(values)).isEqualTo(before);
    }

    /** Null where it fails. */
    private static String rendered(String source, Map<String, Object> values) {
        try {
            return Template.parse(source, "t").render(values);
        } catch (CalmException e) {
            assertThat(e)
                    .hasMessageMatching("t: line \\d+ of the chat template.*")
                    .message()
                    .hasSizeLessThan(700);
            return null;
        }
    }

    @Test
    void failuresNameTheirLine() {
        Map<String, Object> values = new HashMap<>();
        values.put("content", List.of(Map.of("type", "text", "text", "hi")));
        values.put("none", null);
        for (List<String> each : List.of(
                List.of("a\nb{{ 'a' + content }}", "line 2 ", "text + a list"),
                List.of("\n\n{{ 'a' + none }}", "line 3 ", "None"),
                List.of("\n{% if x %}\n", "line ", "endif"),
                List.of("{{ x\n.y }}", "line 1 ", "\"x\" is undefined"),
                List.of("{# a\nb #}\n{% foo %}", "line 3 ", "\"foo\""),
                List.of("{{ raise_exception('a\nb\u0007') }}", "line 1 ", "a b\\x07"))) {
            assertThatThrownBy(() -> Template.parse(each.getFirst(), "file").render(values))
                    .as(each.getFirst())
                    .isInstanceOf(CalmException.class)
                    .hasMessageStartingWith("file: " + each.get(1))
                    .hasMessageContaining(each.get(2));
        }
    }

    @Test
    void valuesOfEveryJsonTypeAreKnown() {
        Map<String, Object> values = new HashMap<>();
        values.put(
                "v",
                Arrays.asList(
                        1,
                        2L,
                        1.5f,
                        0.1,
                        new java.math.BigInteger("12345678901234567890"),
                        new java.math.BigDecimal("2.50"),
                        null,
                        true,
                        "x",
                        Map.of("k", 1)));
        assertThat(Template.parse("{{ v }}", "t").render(values))
                .isEqualTo("[1, 2, 1.5, 0.1, 12345678901234567890, 2.5, None, True, 'x', {'k': 1}]");
    }

    /** Nothing is read, no class is reached, nothing that was given is changed, and it ends soon. */
    @ParameterizedTest
    @Timeout(60)
    @ValueSource(
            strings = {
                "{% include '/etc/passwd' %}",
                "{% import 'x' as y %}",
                "{% from 'x' import y %}",
                "{% extends 'x' %}",
                "{{ l.getClass() }}",
                "{{ ''.getClass().forName('java.lang.Runtime') }}",
                "{{ ''.__class__.__mro__ }}",
                "{{ 'a'.encode() }}",
                "{{ '%1000000000d'|format(1) }}",
                "{{ '%.1000000000f' % 1.5 }}",
                "{{ '{:1000000000}'.format(1) }}",
                "{{ 'a'|center(1000000000) }}",
                "{{ 'a'.zfill(1000000000) }}",
                "{{ 'a'|indent(1000000000, true) }}",
                "{{ [1]|tojson(indent=1000000000) }}",
                "{{ 'a' * 10**9 }}",
                "{{ [1] * 10**9 }}",
                "{{ range(10**9) }}",
                "{{ 9**99999 }}",
                "{{ '\t'.expandtabs(10**9) }}",
                "{{ range(5)|slice(10**9)|list }}",
                "{{ [1]|batch(10**9, 0)|list }}",
                "{{ ('a' * 100000).replace('a', 'b' * 100000) }}",
                "{{ 'x'.join(['y' * 100000] * 100000) }}",
                "{% for a in range(1000) %}{% for b in range(1000) %}{% for c in range(1000) %}x{% endfor %}{% endfor %}{% endfor %}",
                "{% for a in range(99999) %}{% for b in range(99999) if false %}{% endfor %}{% endfor %}",
                "{% set ns = namespace(s='abcdefgh') %}{% for i in range(1000) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
                "{% set ns = namespace(s=[1, 2]) %}{% for i in range(1000) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
                "{% set ns = namespace(a=[1], b=[1]) %}{% for i in range(60) %}{% set ns.a = [ns.a, ns.a] %}{% set ns.b = [ns.b, ns.b] %}{% endfor %}"
                        + "{{ ns.a == ns.b }}",
                "{% set ns = namespace(l=[]) %}{% for i in range(9999) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l }}",
                "{% macro f(x) %}{{ f(x) }}{{ f(x) }}{% endmacro %}{{ f(1) }}",
                "{% for x in l recursive %}{{ loop(l) }}{% endfor %}",
                "{% set ns = namespace() %}{% set ns.a = ns %}{{ ns }}",
                "{% set s = 'a' * 4000000 %}{% for i in range(9999) %}{% if s == s ~ 'b' %}{% endif %}{% endfor %}",
                "{% set s = 'a' * 200000 %}{% for i in range(9999) %}{{ 'a' * 1000 ~ 'b' in s }}{% endfor %}",
                "{{ l.append(1) }}",
                "{{ d.update({'a': 1}) }}",
                "{% do l.append(1) %}",
                "{{ 'a",
                "{% for x in y %}",
                "{{ 'a'|random }}",
                "{{ lipsum() }}",
                "{{ strftime_now('%Q') }}",
                "{% if true %}"
            })
    void templatesCanDoNoHarm(String source) {
        Map<String, Object> values = Map.of("l", new ArrayList<>(List.of(1, 2)), "d", new HashMap<>(Map.of("k", 1)));
        assertThatThrownBy(() -> Template.parse(source, "t").render(values))
                .isInstanceOf(CalmException.class)
                .message()
                .doesNotContain("\n")
                .startsWith("t: ")
                .hasSizeLessThan(700);
        assertThat(values).isEqualTo(Map.of("l", List.of(1, 2), "d", Map.of("k", 1)));
    }

    @Test
    @Timeout(60)
    void depthAndLengthAreBounded() {
        for (String source : List.of(
                "{% if true %}".repeat(20_000) + "x" + "{% endif %}".repeat(20_000),
                expression("(", "1", ")", 9000),
                expression("not ", "1", "", 4900),
                expression("[", "", "]", 500),
                expression("-", "1", "", 9000),
                expression("1+", "1", "", 90_000),
                expression("", "a", ".b", 90_000),
                expression("", "a", "|d", 90_000),
                expression("1 if 1 else ", "1", "", 9000),
                expression("{", "", "}", 5000),
                "x".repeat(1_000_001))) {
            Throwable thrown = catchThrowable(() -> Template.parse(source, "t").render(Map.of()));
            assertThat(thrown).as(source.substring(0, 20)).isInstanceOf(CalmException.class);
        }
        Map<String, Object> deep = new HashMap<>();
        for (int i = 0; i < 1000; i++) {
            deep = Collections.singletonMap("a", deep);
        }
        Map<String, Object> values = deep;
        assertThatThrownBy(() -> Template.parse("x", "t").render(values)).isInstanceOf(CalmException.class);
        assertThat(Template.parse("{{ '" + "a".repeat(30_000) + "'|length }}", "t")
                        .render(Map.of()))
                .isEqualTo("30000");
    }

    private static String expression(String before, String within, String after, int times) {
        return "{{ " + before.repeat(times) + within + after.repeat(times) + " }}";
    }
}
