package org.calm4j.engine.text;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Json;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Thousands of broken files: each is read or refused in one line, and nothing else happens. */
@Tag("slow")
final class MutatedFilesTest {
    private static final String WHOLE = """
            {"version":"1.0","truncation":null,"padding":null,
            "added_tokens":[{"id":9,"content":"<s>","single_word":false,"lstrip":true,"rstrip":false,"normalized":false,"special":true},
            {"id":10,"content":"x y","single_word":true,"lstrip":false,"rstrip":true,"normalized":true,"special":false}],
            "normalizer":{"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"Replace","pattern":{"Regex":" +"},"content":"▁"},
            {"type":"Prepend","prepend":"▁"},{"type":"Strip","strip_left":true,"strip_right":true}]},
            "pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Split",
            "pattern":{"Regex":"\\\\s+(?!\\\\S)|a{1,3}"},"behavior":"Isolated",
            "invert":false},{"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":true},
            {"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true}]},
            "post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},
            {"Sequence":{"id":"A","type_id":0}}],
            "special_tokens":{"<s>":{"id":"<s>","ids":[9],"tokens":["<s>"]}}},
            "decoder":{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},
            {"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0},{"type":"ByteLevel"}]},
            "model":{"type":"BPE","dropout":null,"unk_token":"u","continuing_subword_prefix":null,"end_of_word_suffix":"","fuse_unk":true,
            "byte_fallback":true,"ignore_merges":false,"vocab":{"u":0,"a":1,"b":2,"ab":3,"Ġ":4,"Ġa":5,"<0x41>":6,"aa":7,"aab":8},
            "merges":["a b",["Ġ","a"],"a a","aa b"]}}""";
    private static final List<String> TEXTS = List.of("", "a b <s> x y aab", "▁\u0000日本 \uD83D\uDE00 \n\n aaaaaa");
    private static final List<String> VALUES = List.of(
            "null",
            "true",
            "-1",
            "0",
            "5",
            "2147483647",
            "1e400",
            "99999999999999999999",
            "\"\"",
            "\"a\"",
            "\"(\"",
            "\"(a+)+b\"",
            "\"(a|b)*\"",
            "\"NFD\"",
            "\"Fuse\"",
            "[]",
            "{}",
            "[[[[]]]]",
            "\"\\ud800\"",
            "{\"type\":\"Sequence\"}",
            "\"a{2000000000}\"",
            "{\"Regex\":\"\\\\p{Foo}\"}",
            "{\"Regex\":\"(?<=a+)b\"}",
            "{\"String\":\"\"}",
            "[\"a\",\"b\",\"c\"]",
            "{\"a\":\"b\"}");

    @TempDir
    private Path folder;

    @Test
    @Timeout(300)
    void mutatedValues() throws IOException {
        Random random = new Random(3);
        int refused = 0;
        for (int i = 0; i < 1500; i++) {
            JsonNode json = Json.mapper().readTree(WHOLE);
            for (int n = 1 + random.nextInt(3); n > 0; n--) {
                mutate(json, random);
            }
            refused += survives(json.toString().getBytes(StandardCharsets.UTF_8)) ? 0 : 1;
        }
        assertThat(refused).isBetween(300, 1450);
    }

    @Test
    @Timeout(300)
    void mutatedBytes() throws IOException {
        assertThat(survives(WHOLE.getBytes(StandardCharsets.UTF_8))).isTrue();
        Random random = new Random(4);
        for (int i = 0; i < 1500; i++) {
            byte[] bytes = WHOLE.getBytes(StandardCharsets.UTF_8);
            for (int n = 1 + random.nextInt(4); n > 0; n--) {
                bytes[random.nextInt(bytes.length)] =
                        (byte) (random.nextBoolean() ? random.nextInt(256) : "\"{}[],:0 \\".charAt(random.nextInt(10)));
            }
            survives(i % 5 == 0 ? Arrays.copyOf(bytes, random.nextInt(bytes.length)) : bytes);
        }
    }

    @Test
    @Timeout(60)
    void deepAndCyclicParts() throws IOException {
        String deep = "{\"type\":\"Sequence\",\"normalizers\":[".repeat(50_000);
        assertThat(survives(("{\"normalizer\":" + deep).getBytes(StandardCharsets.UTF_8)))
                .isFalse();
        String nested = "{\"type\":\"Sequence\",\"normalizers\":[".repeat(80) + "]}".repeat(80);
        assertThat(survives(WHOLE.replace("{\"type\":\"NFC\"}", nested).getBytes(StandardCharsets.UTF_8)))
                .isTrue();
        assertThat(survives(("[".repeat(1_000_000)).getBytes(StandardCharsets.UTF_8)))
                .isFalse();
        assertThat(survives(WHOLE.replace("\"aab\":8", "\"aab\":2147483647").getBytes(StandardCharsets.UTF_8)))
                .isFalse();
        assertThat(survives(WHOLE.replace("\"<s>\",\"single", "\"" + "s".repeat(100_000) + "\",\"single")
                        .getBytes(StandardCharsets.UTF_8)))
                .isFalse();
    }

    private static void mutate(JsonNode json, Random random) throws IOException {
        List<JsonNode> places = new ArrayList<>();
        collect(json, places);
        JsonNode place = places.get(random.nextInt(places.size()));
        JsonNode value = random.nextInt(4) == 0
                ? places.get(random.nextInt(places.size())).deepCopy()
                : Json.mapper().readTree(VALUES.get(random.nextInt(VALUES.size())));
        if (place instanceof ObjectNode object && !object.isEmpty()) {
            List<String> names = object.propertyStream().map(Map.Entry::getKey).toList();
            String name = names.get(random.nextInt(names.size()));
            if (random.nextInt(4) == 0) {
                object.remove(name);
            } else {
                object.set(random.nextInt(8) == 0 ? name + "x" : name, value);
            }
        } else if (place instanceof ArrayNode array && !array.isEmpty()) {
            array.set(
                    random.nextInt(array.size()), random.nextInt(8) == 0 ? JsonNodeFactory.instance.nullNode() : value);
        }
    }

    private static void collect(JsonNode json, List<JsonNode> to) {
        if (json.isContainerNode()) {
            to.add(json);
            json.forEach(child -> collect(child, to));
        }
    }

    /** Whether it was read; where it was not, the error is ours and one line. */
    private boolean survives(byte[] json) throws IOException {
        Files.write(folder.resolve("tokenizer.json"), json);
        try {
            Tokenizer tokenizer = Tokenizer.read(folder);
            for (String text : TEXTS) {
                tokenizer.decode(tokenizer.encode(text), true);
            }
            return true;
        } catch (CalmException e) {
            assertThat(e.kind()).isEqualTo(CalmException.Kind.BAD_INPUT);
            assertThat(e.getMessage()).doesNotContain("\n");
            return false;
        }
    }
}
