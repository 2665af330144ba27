package org.calm4j.calm.stage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** CALM in miniature on the stand-in of a GPU: it runs from end to end, leaves nothing behind, and gives the same bytes again. */
final class CudaDemoTest {
    private static final Path STAND_IN = Path.of("..", "native", "target", "standin", "plain").toAbsolutePath().normalize();

    @TempDir
    private Path folder;

    @Test
    void trainSampleAndAlign() throws Exception {
        assumeTrue(Files.exists(STAND_IN.resolve("libcuda.so.1")), "the stand-in is built");
        List<String> first = run("first");
        assertThat(first).hasSize(3);
        assertThat(run("second")).isEqualTo(first);
    }

    private List<String> run(String name) throws Exception {
        Path err = folder.resolve(name + ".err");
        ProcessBuilder command = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "--add-modules", "jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED", "-cp",
                System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")), MiniatureOnCuda.class.getName(),
                folder.resolve(name).toString()).redirectError(err.toFile());
        command.environment().put("LD_LIBRARY_PATH", STAND_IN.toString());
        Process process = command.start();
        List<String> out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).lines().toList();
        int code = process.waitFor();
        assertThat(code).as(Files.readString(err)).isZero();
        assertThat(Files.readString(err)).doesNotContain("leaked");
        return out;
    }
}
