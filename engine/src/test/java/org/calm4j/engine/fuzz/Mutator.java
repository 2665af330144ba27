package org.calm4j.engine.fuzz;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;

/** Breaks files, each time in another way; the same seed breaks them alike. */
public final class Mutator {
    /** What a file is made of. */
    public enum Kind {
        JSON,
        JSON_LINES,
        TABLE,
        YAML,
        TEMPLATE,
        SAFETENSORS,
        INTEGERS
    }

    private static final List<String> NUMBERS = List.of(
            "-1",
            "0",
            "1",
            "0.5",
            "-0.0",
            "2147483647",
            "2147483648",
            "-2147483648",
            "9223372036854775807",
            "9223372036854775808",
            "1e999",
            "-1e999",
            "1e-999",
            "NaN",
            "Infinity",
            "1".repeat(5000),
            "16777217",
            "1e9");
    private static final List<String> SCRAPS = List.of(
            "null",
            "true",
            "false",
            "\"\"",
            "\"a\"",
            "\" \"",
            "[]",
            "{}",
            "[null]",
            "[[]]",
            "{\"a\":{}}",
            "\"\\ud800\"",
            "\"\\u0000\"",
            "\"\\u202e\\u001b[31m\"",
            "\"../../x\"",
            "\"/\"",
            "\"NaN\"",
            "\"" + "x".repeat(300_000) + "\"",
            "[".repeat(100_000),
            "{\"a\":".repeat(100_000),
            "[" + "1,".repeat(50_000) + "1]",
            "\"(a+)+$\"",
            "\"(\"",
            "\"\\n\"",
            "\"\uD83D\uDE00\"");
    private static final List<String> MARKS = List.of(
            "{",
            "}",
            "[",
            "]",
            "\"",
            "'",
            ",",
            ":",
            "\n",
            "\t",
            " ",
            "#",
            "-",
            "&a ",
            "*a",
            "!!java.io.File ",
            "|",
            ">",
            "%",
            "\\",
            ";",
            "\r",
            "\0",
            "\uFEFF",
            "\u2028",
            "---\n",
            "? ",
            "<<: ",
            "~",
            "0x",
            "{{",
            "}}",
            "{%",
            "%}",
            "(",
            ")",
            ".",
            "|",
            "[::",
            "not ",
            "is ",
            "{% for a in range(999999999) %}",
            "{{ 'a' * 999999999 }}",
            "{% set x = x ~ x %}",
            "1/0",
            "\"\"",
            "''",
            "2147483648",
            "-1",
            "1e999");

    private final Kind kind;
    private final Random random;

    public Mutator(Kind kind, long seed) {
        this.kind = kind;
        random = new Random(seed);
    }

    public byte[] mutate(byte[] file) {
        if (random.nextInt(3) == 0) {
            return bytes(file);
        }
        byte[] broken =
                switch (kind) {
                    case JSON -> json(text(file)).getBytes(StandardCharsets.UTF_8);
                    case JSON_LINES -> lines(text(file)).getBytes(StandardCharsets.UTF_8);
                    case TABLE, YAML, TEMPLATE -> marks(text(file)).getBytes(StandardCharsets.UTF_8);
                    case SAFETENSORS -> tensors(file);
                    case INTEGERS -> integers(file);
                };
        return random.nextInt(12) == 0 ? bytes(broken) : broken;
    }

    private static String text(byte[] file) {
        return new String(file, StandardCharsets.UTF_8);
    }

    private <T> T any(List<T> list) {
        return list.get(random.nextInt(list.size()));
    }

    // Bits, lengths, and what editors and networks do to files.
    private byte[] bytes(byte[] file) {
        int at = random.nextInt(file.length + 1);
        int to = at + random.nextInt(file.length + 1 - at);
        return switch (random.nextInt(12)) {
            case 0 -> new byte[0];
            case 1 -> Arrays.copyOf(file, at);
            case 2 -> joined(Arrays.copyOf(file, to), Arrays.copyOfRange(file, at, file.length));
            case 3 -> joined(Arrays.copyOf(file, at), Arrays.copyOfRange(file, to, file.length));
            case 4 -> joined(new byte[] {(byte) 0xEF, (byte) 0xBB, (byte) 0xBF}, file);
            case 5 ->
                joined(
                        Arrays.copyOf(file, at),
                        new byte[random.nextInt(100)],
                        Arrays.copyOfRange(file, at, file.length));
            case 6 ->
                joined(
                        Arrays.copyOf(file, at),
                        any(List.of(
                                new byte[] {(byte) 0xC3},
                                new byte[] {(byte) 0xED, (byte) 0xA0, (byte) 0x80},
                                new byte[] {(byte) 0xFF, (byte) 0xFE},
                                new byte[] {(byte) 0xF8, 1})),
                        Arrays.copyOfRange(file, at, file.length));
            case 7 -> joined(file, file);
            case 8 -> new byte[random.nextInt(5000)];
            case 9 -> text(file).replace("\n", "\r\n").getBytes(StandardCharsets.UTF_8);
            default -> {
                byte[] flipped = file.clone();
                for (int n = 1 + random.nextInt(4); n > 0 && flipped.length > 0; n--) {
                    flipped[random.nextInt(flipped.length)] ^= (byte) (1 << random.nextInt(8));
                }
                yield flipped;
            }
        };
    }

    private static byte[] joined(byte[]... parts) {
        ByteBuffer all = ByteBuffer.allocate(
                Arrays.stream(parts).mapToInt(part -> part.length).sum());
        Arrays.stream(parts).forEach(all::put);
        return all.array();
    }

    private String lines(String file) {
        List<String> lines = new ArrayList<>(file.lines().toList());
        int at = random.nextInt(lines.size());
        switch (random.nextInt(8)) {
            case 0 -> lines.add(at, any(lines));
            case 1 -> lines.remove(at);
            case 2 -> lines.set(at, lines.get(at) + lines.get(at));
            case 3 -> lines.set(at, any(SCRAPS));
            default -> lines.set(at, json(lines.get(at)));
        }
        return String.join("\n", lines) + (random.nextInt(4) == 0 ? "" : "\n");
    }

    /** Values of other types, sizes and numbers, names that are missing, wrong or there twice. */
    String json(String file) {
        JsonNode tree;
        try {
            tree = new ObjectMapper().readTree(file);
        } catch (JsonProcessingException e) {
            return file;
        }
        List<String> raw = new ArrayList<>();
        for (int n = 1 + random.nextInt(2); n > 0; n--) {
            mutate(tree, raw);
        }
        String text = tree.toString();
        for (int i = 0; i < raw.size(); i++) {
            text = text.replace("\"@" + i + "@\"", raw.get(i));
        }
        return text;
    }

    private void mutate(JsonNode tree, List<String> raw) {
        List<JsonNode> places = new ArrayList<>();
        collect(tree, places);
        if (places.isEmpty()) {
            return;
        }
        JsonNode place = any(places);
        JsonNode value = random.nextInt(6) == 0
                ? any(places).deepCopy()
                : raw(any(random.nextBoolean() ? NUMBERS : SCRAPS), raw);
        if (place instanceof ArrayNode array) {
            int at = random.nextInt(array.size());
            switch (random.nextInt(4)) {
                case 0 -> array.remove(at);
                case 1 -> array.insert(at, value);
                default -> array.set(at, value);
            }
            return;
        }
        ObjectNode object = (ObjectNode) place;
        List<String> names = object.propertyStream().map(Map.Entry::getKey).toList();
        String name = any(names);
        switch (random.nextInt(10)) {
            case 0, 1 -> object.remove(name);
            // The second of two fields of one name.
            case 2 -> object.set("@" + raw.size() + "@", raw("\"" + any(names) + "\"", raw));
            case 3 ->
                object.set(
                        any(List.of("", "x".repeat(60_000), name + "x", "\u0000", "__proto__")), object.remove(name));
            default -> object.set(name, value);
        }
        if (object.has("@" + (raw.size() - 1) + "@")) {
            object.set("@" + (raw.size() - 1) + "@", new TextNode("b"));
        }
    }

    private static TextNode raw(String text, List<String> raw) {
        raw.add(text);
        return new TextNode("@" + (raw.size() - 1) + "@");
    }

    private static void collect(JsonNode json, List<JsonNode> to) {
        if (json.isContainerNode() && !json.isEmpty()) {
            to.add(json);
            json.forEach(child -> collect(child, to));
        }
    }

    private String marks(String file) {
        StringBuilder text = new StringBuilder(file);
        for (int n = 1 + random.nextInt(3); n > 0; n--) {
            int at = random.nextInt(text.length() + 1);
            int to = Math.min(text.length(), at + random.nextInt(30));
            switch (random.nextInt(9)) {
                case 0, 1, 2 -> text.insert(at, any(MARKS));
                case 3 -> text.replace(at, to, any(MARKS));
                case 4 -> text.replace(at, to, any(NUMBERS));
                case 5 -> text.delete(at, to);
                case 6 -> text.insert(at, text.substring(at, to));
                case 7 -> text.insert(at, random.nextInt(5) == 0 ? any(MARKS).repeat(20_000) : any(SCRAPS));
                default -> {
                    List<String> lines = new ArrayList<>(text.toString().lines().toList());
                    if (!lines.isEmpty()) {
                        lines.add(random.nextInt(lines.size()), any(lines));
                        text = new StringBuilder(String.join("\n", lines));
                    }
                }
            }
        }
        return text.toString();
    }

    private byte[] tensors(byte[] file) {
        int length = (int) ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN).getLong();
        byte[] header = random.nextInt(5) == 0
                ? Arrays.copyOfRange(file, 8, 8 + length)
                : json(new String(file, 8, length, StandardCharsets.UTF_8)).getBytes(StandardCharsets.UTF_8);
        long said =
                switch (random.nextInt(12)) {
                    case 0 -> random.nextLong();
                    case 1 -> header.length + random.nextInt(9) - 4;
                    case 2 -> any(List.of(0L, -1L, Long.MAX_VALUE, 100_000_000L, 1L << 32));
                    default -> header.length;
                };
        byte[] data = Arrays.copyOfRange(
                file,
                8 + length,
                random.nextInt(6) == 0 ? 8 + length + random.nextInt(file.length - 8 - length) : file.length);
        return joined(
                ByteBuffer.allocate(8)
                        .order(ByteOrder.LITTLE_ENDIAN)
                        .putLong(said)
                        .array(),
                header,
                data);
    }

    private byte[] integers(byte[] file) {
        ByteBuffer broken = ByteBuffer.wrap(file.clone()).order(ByteOrder.LITTLE_ENDIAN);
        for (int n = 1 + random.nextInt(2); n > 0; n--) {
            int at = random.nextInt(
                    Math.max(1, random.nextBoolean() ? Math.min(9, file.length / 4) : file.length / 4 - 1));
            broken.putInt(
                    4 * at,
                    any(List.of(
                            0,
                            1,
                            -1,
                            2,
                            3,
                            7,
                            1 << 24,
                            (1 << 24) + 1,
                            Integer.MAX_VALUE,
                            Integer.MIN_VALUE,
                            0x616b3432,
                            random.nextInt())));
        }
        return broken.array();
    }
}
