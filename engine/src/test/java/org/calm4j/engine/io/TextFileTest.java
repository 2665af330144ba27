package org.calm4j.engine.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.calm4j.engine.CalmException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is not text is an error with its line, in JSON, JSON Lines and any text. */
final class TextFileTest {
    @TempDir
    private Path folder;

    @ParameterizedTest
    @ValueSource(
            strings = {
                "\\ud800",
                "\\uDFFF",
                "\\ud83d x",
                "\\ud83d\\ud83d\\ude00",
                "\\ude00\\ud83d",
                "\\ud83d\\\\ude00",
                "\\ud83d\\n\\ude00",
                "\\\\\\ud800"
            })
    void halfOfACharacterIsAnErrorWithItsLine(String text) throws IOException {
        for (String line : List.of(
                "{\"id\": \"" + text + "\"}", "{\"" + text + "\": 1}", "{\"a\": [{\"b\": [\"" + text + "\"]}]}")) {
            Path jsonl = Files.writeString(folder.resolve("a.jsonl"), "{\"id\": \"ok\"}\n\n" + line + "\n");
            assertThatThrownBy(() -> Jsonl.read(jsonl, JsonNode.class))
                    .as(line)
                    .isInstanceOf(CalmException.class)
                    .hasMessageContaining(jsonl + ":3: \\u")
                    .extracting(e -> ((CalmException) e).kind())
                    .isEqualTo(CalmException.Kind.BAD_INPUT);
            Path json = Files.writeString(folder.resolve("a.json"), "[\n1,\n" + line + "]");
            assertThatThrownBy(() -> Json.read(json, JsonNode.class))
                    .as(line)
                    .isInstanceOf(CalmException.class)
                    .hasMessageContaining(json + ":3: \\u");
        }
    }

    @Test
    void wholeCharactersStay() throws IOException {
        Path file = Files.writeString(
                folder.resolve("a.jsonl"),
                "{\"a\": \"\\ud83d\\ude00 \\\\ud800 \\\\\\ud83d\\ude00 😀\\u00e9\", \"\\uD83D\\uDE00\": \"\\\\\"}");
        JsonNode line = Jsonl.read(file, JsonNode.class).getFirst();
        assertThat(line.path("a").asText()).isEqualTo("😀 \\ud800 \\😀 😀é");
        assertThat(line.path("😀").asText()).isEqualTo("\\");
        assertThat(Json.read(file, JsonNode.class)).isEqualTo(line);
        TextFile.checkWhole("😀 é", "x");
        assertThatThrownBy(() -> TextFile.checkWhole("a\ud83d", "x"))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("x: \\ud83d");
    }

    @Test
    void whatIsNotUtf8NamesTheLine() throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        bytes.writeBytes("{\"a\": \"ä\"}\r\n".repeat(20_000).getBytes(StandardCharsets.UTF_8));
        // A surrogate as three bytes, as CESU-8 has it.
        bytes.writeBytes(new byte[] {
            '{', '"', 'a', '"', ':', '"', (byte) 0xED, (byte) 0xA0, (byte) 0x80, '"', '}', '\n', '{', '}'
        });
        Path file = Files.write(folder.resolve("a"), bytes.toByteArray());
        assertThatThrownBy(() -> Jsonl.read(file, JsonNode.class))
                .isInstanceOf(CalmException.class)
                .hasMessage(file + ":20001: not valid UTF-8; save the file as UTF-8");
        assertThatThrownBy(() -> TextFile.read(file))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining(":20001: not valid UTF-8");
        assertThatThrownBy(() -> Json.read(file, JsonNode.class))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining(":20001: not valid");
    }

    @Test
    void linesAreThoseOfTheFile() throws IOException {
        for (String text :
                List.of("", "\n", "a", "a\n", "\uFEFFa\r\n\nä\n", "x".repeat(200_000) + "\n" + "ö".repeat(70_000))) {
            Path file = Files.writeString(folder.resolve("lines"), text);
            StringBuilder all = new StringBuilder();
            TextFile.lines(
                    file,
                    (line, number) -> all.append(number).append(line.strip()).append('|'));
            StringBuilder expected = new StringBuilder();
            List<String> lines = text.replace("\uFEFF", "").lines().toList();
            for (int i = 0; i < lines.size(); i++) {
                expected.append(i + 1).append(lines.get(i)).append('|');
            }
            assertThat(all.toString()).isEqualTo(expected.toString());
            assertThat(TextFile.read(file)).isEqualTo(text.replace("\uFEFF", ""));
        }
    }
}
