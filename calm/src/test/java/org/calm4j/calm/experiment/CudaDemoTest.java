package org.calm4j.calm.experiment;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.calm4j.calm.cli.Calm;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** CALM in miniature on the stand-in of a GPU: it runs from end to end, leaves nothing behind, and gives the same bytes again. */
@Tag("slow")
final class CudaDemoTest {
    private static final Path STAND_IN = Path.of("..", "native", "target", "standin", "plain")
            .toAbsolutePath()
            .normalize();

    @TempDir
    private Path folder;

    @Test
    void trainSampleAndAlign() throws Exception {
        assumeTrue(Files.exists(STAND_IN.resolve("libcuda.so.1")), "the stand-in is built");
        List<String> first =
                run("first", MiniatureOnCuda.class, folder.resolve("first").toString());
        assertThat(first).hasSize(4).startsWith("left on the device: ");
        assertThat(run("second", MiniatureOnCuda.class, folder.resolve("second").toString()))
                .isEqualTo(first);
    }

    /** What {@code auto} took and why, and what a training takes of the device's memory, before the first step. */
    @Test
    void theCommandSaysItsDeviceAndItsMemory() throws Exception {
        assumeTrue(Files.exists(STAND_IN.resolve("libcuda.so.1")), "the stand-in is built");
        Path model = folder.resolve("model");
        ModelOnDisk.write(model);
        Path data = Files.writeString(folder.resolve("data.jsonl"), "{\"input_ids\":[3,4,5,6]}\n");
        run(
                "auto",
                Calm.class,
                "pretrain",
                "--model",
                model.toString(),
                "--data",
                data.toString(),
                "--output",
                folder.resolve("out").toString(),
                "--max-steps",
                "1",
                "--batch-size",
                "1",
                "--lora-rank",
                "2");
        List<String> said = Files.readAllLines(folder.resolve("auto.err"));
        assertThat(said).anySatisfy(line -> assertThat(line)
                .startsWith("calm: cuda:0: ")
                .endsWith("(auto: there is a GPU; --device cpu uses the CPU)"));
        assertThat(said).anySatisfy(line -> assertThat(line)
                .matches("calm: memory: 1\\.07 GB \\(.* frozen weights, .* trained weights, .* gradients, .* moments, "
                        + ".* activations, 1\\.07 working\\)"));
    }

    /** Lines of its output; what it says else is in a file of that name. */
    private List<String> run(String name, Class<?> main, String... arguments) throws Exception {
        Path err = folder.resolve(name + ".err");
        ProcessBuilder command = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-XX:TieredStopAtLevel=1",
                        "--add-modules",
                        "jdk.incubator.vector",
                        "--enable-native-access=ALL-UNNAMED",
                        "-cp",
                        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
                        main.getName())
                .redirectError(err.toFile());
        command.command().addAll(List.of(arguments));
        command.environment().put("LD_LIBRARY_PATH", STAND_IN.toString());
        Process process = command.start();
        List<String> out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8)
                .lines()
                .toList();
        int code = process.waitFor();
        assertThat(code).as(Files.readString(err)).isZero();
        // The end of a context reports what is left in it.
        assertThat(Files.readString(err)).doesNotContain("leaked");
        return out;
    }
}
