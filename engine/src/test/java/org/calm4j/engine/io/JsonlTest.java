package org.calm4j.engine.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.calm4j.engine.CalmException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class JsonlTest {
    record Line(String id, double value) {}

    @TempDir
    private Path folder;

    @Test
    void writesAndReads() {
        Path file = folder.resolve("new/lines.jsonl");
        List<Line> lines = List.of(new Line("ä", 0.1), new Line("b", 1.0 / 3));
        Jsonl.write(file, lines);
        assertThat(Jsonl.read(file, Line.class)).isEqualTo(lines);
        assertThat(file.getParent()).isDirectoryNotContaining("glob:**.tmp");
    }

    @Test
    void errorsNameFileAndLine() throws IOException {
        check("{\"id\":\"a\"}\n\n{\"id\":", 3);
        check("{\"id\":\"a\"}\n[1]\n", 2);
        check("{\"id\":\"a\",\"id\":\"b\"}\n", 1);
        check("{\"id\":\"a\"} {\"id\":\"b\"}\n", 1);
        check("{\"value\":\"many\"}\n", 1);
        check("{\"id\":" + "[".repeat(1000) + "]".repeat(1000) + "}", 1);
        Path file = folder.resolve("latin.jsonl");
        Files.write(file, "{\"id\":\"é\"}".getBytes(StandardCharsets.ISO_8859_1));
        assertThatThrownBy(() -> Jsonl.read(file, Line.class))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("UTF-8");
        assertThatThrownBy(() -> Jsonl.read(folder.resolve("none.jsonl"), Line.class))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("none.jsonl: no such file");
    }

    @Test
    void failedWritingLeavesTheOldFile() throws IOException {
        Path file = folder.resolve("kept");
        Files.writeString(file, "old");
        assertThatThrownBy(() -> AtomicFile.write(file, out -> {
                    out.write(1);
                    throw new IllegalStateException("in the middle");
                }))
                .isInstanceOf(IllegalStateException.class);
        assertThat(file).hasContent("old");
        assertThat(folder).isDirectoryNotContaining("glob:**.tmp");
        assertThatThrownBy(() -> AtomicFile.write(file.resolve("below/a/file"), out -> out.write(1)))
                .isInstanceOf(CalmException.class)
                .extracting(e -> ((CalmException) e).kind())
                .isEqualTo(CalmException.Kind.BAD_INPUT);
    }

    /** Half a line is what is no object; nothing else is lost. */
    @Test
    void halfALineAtTheEndIsCut() throws IOException {
        Path file = folder.resolve("grown.jsonl");
        for (String[] each : new String[][] {
            {"", ""},
            {"{\"a", ""},
            {"{\"a\":1}\n", "{\"a\":1}\n"},
            {"{\"a\":1}\n{\"b\":\"日", "{\"a\":1}\n"},
            {"{\"a\":1}\n{\"b\":2}", "{\"a\":1}\n{\"b\":2}"}
        }) {
            Files.writeString(file, each[0]);
            Jsonl.dropHalfLine(file);
            assertThat(file).hasContent(each[1]);
        }
        byte[] torn = "{\"a\":1}\n{\"b\":\"日".getBytes(StandardCharsets.UTF_8);
        Files.write(file, Arrays.copyOf(torn, torn.length - 1));
        Jsonl.dropHalfLine(file);
        assertThat(file).hasContent("{\"a\":1}\n");
        Jsonl.dropHalfLine(folder.resolve("none"));
    }

    private void check(String content, int line) throws IOException {
        Path file = folder.resolve("broken.jsonl");
        Files.writeString(file, content);
        assertThatThrownBy(() -> Jsonl.read(file, Line.class))
                .as(content)
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("broken.jsonl:" + line)
                .message()
                .doesNotContain("\n");
    }
}
