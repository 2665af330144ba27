package org.calm4j.engine.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.List;
import org.calm4j.engine.CalmException;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class LineIndexTest {
    private static final String TEXT = "\uFEFF{\"a\":\"ä\"}\r\n\n  \n{\"b\":[1,2]}\n {\"c\":\"" + "long ".repeat(30_000)
            + "😀\"}\n\u3000\n{\"d\":null}";

    @TempDir
    private Path folder;

    private Path file;

    @BeforeEach
    void write() throws IOException {
        file = Files.writeString(folder.resolve("lines.jsonl"), TEXT);
    }

    private record Line(JsonNode json, String where) {}

    @Test
    void linesAreThoseOfAFileThatIsReadAtOnce() throws IOException {
        for (String text : List.of(TEXT, TEXT + "\n", "", "\n\n", "{}")) {
            Files.writeString(file, text);
            List<Line> expected = Jsonl.read(file, JsonNode.class, Line::new);
            LineIndex index = new LineIndex(file);
            List<Line> found = new ArrayList<>();
            for (int i = index.size() - 1; i >= 0; i--) {
                found.addFirst(new Line(index.json(i), index.where(i)));
            }
            assertThat(found).isEqualTo(expected);
        }
    }

    @Test
    void errorsNameTheLine() throws IOException {
        Files.writeString(file, "{}\n\n{\"a\":}\n[1]\n{\"a\":\"\\ud800\"}\n");
        LineIndex index = new LineIndex(file);
        index.json(0);
        for (int line = 1; line < 4; line++) {
            int each = line;
            assertThatThrownBy(() -> index.json(each))
                    .isInstanceOf(CalmException.class)
                    .hasMessageStartingWith(file + ":" + (line + 2));
        }
        Files.write(file, new byte[] {'{', '}', '\n', (byte) 0xff, '\n'});
        assertThatThrownBy(() -> new LineIndex(file)).hasMessageStartingWith(file + ":2: not valid UTF-8");
        assertThatThrownBy(() -> new LineIndex(folder.resolve("none"))).isInstanceOf(CalmException.class);
    }

    @Test
    void aFileThatHasChangedIsAnError() throws IOException {
        FileTime time = FileTime.fromMillis(1_000_000);
        Files.setLastModifiedTime(file, time);
        // The same size and time, another content.
        LineIndex index = new LineIndex(file);
        Files.writeString(file, TEXT.replace("[1,2]", "[1,3]"));
        Files.setLastModifiedTime(file, time);
        index.json(0);
        assertChanged(index, file + ":4");
        write();
        Files.setLastModifiedTime(file, time);
        index.json(1);
        Files.setLastModifiedTime(file, FileTime.fromMillis(2_000_000));
        assertChanged(index, file.toString());
        LineIndex longer = new LineIndex(file);
        Files.writeString(file, "\n{}", StandardOpenOption.APPEND);
        assertChanged(longer, file.toString());
        LineIndex shorter = new LineIndex(file);
        Path other = Files.writeString(folder.resolve("other"), "{}\n");
        Files.move(other, file, StandardCopyOption.REPLACE_EXISTING);
        assertChanged(shorter, file.toString());
        LineIndex gone = new LineIndex(file);
        Files.delete(file);
        assertThatThrownBy(() -> gone.json(0)).isInstanceOf(CalmException.class).hasMessageContaining(file.toString());
    }

    private static void assertChanged(LineIndex index, String where) {
        assertThatThrownBy(() -> index.json(1))
                .isInstanceOfSatisfying(
                        CalmException.class, e -> assertThat(e.kind()).isEqualTo(CalmException.Kind.BAD_INPUT))
                .hasMessageStartingWith(where + ": has changed");
    }
}
