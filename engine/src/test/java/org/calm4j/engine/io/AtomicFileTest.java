package org.calm4j.engine.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.calm4j.engine.CalmException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

@EnabledOnOs({OS.LINUX, OS.MAC})
class AtomicFileTest {
    private static final AtomicFile.Content NEW = out -> out.write("new".getBytes(StandardCharsets.UTF_8));

    @TempDir
    private Path folder;

    @Test
    void aSymbolicLinkStaysAndWhatItLeadsToIsWritten() throws IOException {
        Path elsewhere = Files.createDirectory(folder.resolve("elsewhere"));
        Files.writeString(elsewhere.resolve("real"), "old");
        Path first = Files.createSymbolicLink(folder.resolve("first"), Path.of("elsewhere/real"));
        Path second = Files.createSymbolicLink(folder.resolve("second"), Path.of("first"));
        AtomicFile.write(second, NEW);
        assertThat(second).isSymbolicLink();
        assertThat(first).isSymbolicLink();
        assertThat(elsewhere.resolve("real")).hasContent("new").isRegularFile();
        // It may lead to what is not there yet.
        Path dangling = Files.createSymbolicLink(folder.resolve("dangling"), elsewhere.resolve("missing"));
        AtomicFile.write(dangling, NEW);
        assertThat(dangling).isSymbolicLink();
        assertThat(elsewhere.resolve("missing")).hasContent("new");
        try (Stream<Path> files = Files.list(elsewhere)) {
            assertThat(files).hasSize(2);
        }
        Path circle = Files.createSymbolicLink(folder.resolve("circle"), Path.of("circle"));
        assertThatThrownBy(() -> AtomicFile.write(circle, NEW))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("circle");
    }

    @Test
    void aFolderBehindASymbolicLinkIsReplacedWhereItIs() throws IOException {
        Path real = Files.createDirectories(folder.resolve("elsewhere/real"));
        Files.writeString(real.resolve("old"), "old");
        Path link = Files.createSymbolicLink(folder.resolve("link"), real);
        AtomicFile.folder(link, place -> AtomicFile.write(place.resolve("file"), NEW));
        assertThat(link).isSymbolicLink();
        assertThat(real.resolve("file")).hasContent("new");
        assertThat(real.resolve("old")).doesNotExist();
        Path file = Files.writeString(folder.resolve("file"), "old");
        assertThatThrownBy(() -> AtomicFile.folder(file, place -> {}))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("not a folder");
        assertThat(file).hasContent("old");
    }

    @Test
    void aPipeIsWrittenThrough() throws Exception {
        Path pipe = folder.resolve("pipe");
        assertThat(new ProcessBuilder("mkfifo", pipe.toString()).start().waitFor())
                .isZero();
        assertThat(AtomicFile.isStream(pipe)).isTrue();
        CompletableFuture<String> read = CompletableFuture.supplyAsync(() -> {
            try {
                return Files.readString(pipe);
            } catch (IOException e) {
                return e.toString();
            }
        });
        AtomicFile.write(pipe, NEW);
        assertThat(Files.readAttributes(pipe, "isOther", LinkOption.NOFOLLOW_LINKS))
                .containsEntry("isOther", true);
        assertThat(read.get(1, TimeUnit.MINUTES)).isEqualTo("new");
        try (Stream<Path> files = Files.list(folder)) {
            assertThat(files).containsOnly(pipe);
        }
    }

    @Test
    @EnabledOnOs(OS.LINUX)
    void standardOutputIsAddedTo() {
        PrintStream before = System.out;
        ByteArrayOutputStream said = new ByteArrayOutputStream();
        try (PrintStream out = new PrintStream(said, false, StandardCharsets.UTF_8)) {
            System.setOut(out);
            out.print("before ");
            // Not /dev/stdout: should it ever be replaced again, then not that of the whole machine.
            AtomicFile.write(Path.of("/proc/self/fd/1"), NEW);
            out.print(" behind");
        } finally {
            System.setOut(before);
        }
        assertThat(said.toString(StandardCharsets.UTF_8)).isEqualTo("before new behind");
    }
}
