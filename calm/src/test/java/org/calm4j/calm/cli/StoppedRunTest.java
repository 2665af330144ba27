package org.calm4j.calm.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.calm4j.calm.experiment.ModelOnDisk;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A signal ends a run at a place from which it goes on to the bytes of the run that never was stopped. */
@Tag("slow")
class StoppedRunTest {
    private static final int SECONDS = 60;

    @TempDir
    Path folder;

    private final StringWriter err = new StringWriter();

    private int calm(List<String> arguments) {
        err.getBuffer().setLength(0);
        return Calm.execute(
                new PrintWriter(new StringWriter()), new PrintWriter(err), arguments.toArray(String[]::new));
    }

    private List<String> dpo(String output, int steps, String... more) {
        List<String> arguments = new ArrayList<>(List.of(
                "dpo",
                "--model",
                folder + "/model",
                "--data",
                folder + "/it's pairs.jsonl",
                "--output",
                folder + "/" + output,
                "--max-steps",
                String.valueOf(steps),
                "--lr-scheduler",
                "constant",
                "--threads",
                "1"));
        arguments.addAll(List.of(more));
        return arguments;
    }

    private Process start(List<String> arguments) throws IOException {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:+UseSerialGC",
                "--add-modules",
                "jdk.incubator.vector",
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                System.getProperty("java.class.path"),
                Calm.class.getName()));
        command.addAll(arguments);
        return new ProcessBuilder(command)
                .directory(folder.toFile())
                .redirectErrorStream(true)
                .redirectOutput(folder.resolve("log").toFile())
                .start();
    }

    private static void signal(String name, Process process) throws IOException, InterruptedException {
        assertThat(new ProcessBuilder("kill", "-" + name, String.valueOf(process.pid()))
                        .start()
                        .waitFor())
                .isZero();
    }

    private int steps(String output) throws IOException {
        Path metrics = folder.resolve(output).resolve("metrics.jsonl");
        try (Stream<String> lines = Files.exists(metrics) ? Files.lines(metrics) : Stream.empty()) {
            return (int) lines.count();
        }
    }

    private void write() throws IOException {
        ModelOnDisk.write(folder.resolve("model"));
        Files.writeString(
                folder.resolve("it's pairs.jsonl"),
                "{\"prompt_input_ids\":[3],\"chosen_input_ids\":[4,5],\"rejected_input_ids\":[5]}\n");
    }

    private int stop(String output, String... signals) throws Exception {
        Process process = start(dpo(output, 1_000_000));
        for (int waits = 0; steps(output) < 2 && process.isAlive() && waits < 10 * SECONDS; waits++) {
            Thread.sleep(100);
        }
        for (String signal : signals) {
            signal(signal, process);
        }
        assertThat(process.waitFor(SECONDS, TimeUnit.SECONDS)).isTrue();
        return process.exitValue();
    }

    @Test
    void theFirstSignalLeavesACheckpointAndTheLineToType() throws Exception {
        write();
        assertThat(stop("stopped", "TERM")).isEqualTo(143);
        int taken = steps("stopped");
        assertThat(folder.resolve("stopped/checkpoint-" + taken)).isDirectory();
        assertThat(folder.resolve("stopped/model.safetensors")).doesNotExist();
        assertThat(Files.readString(folder.resolve("log")))
                .contains(
                        "calm dpo: stopped after step " + taken + " of 1000000, with a checkpoint in " + folder,
                        "Go on with: calm dpo --model " + folder,
                        "/it'\\''s pairs.jsonl'",
                        "--threads 1 --resume\n");
        assertThat(calm(dpo("stopped", taken + 3, "--resume")))
                .as(err.toString())
                .isZero();
        assertThat(err.toString()).contains("goes on from " + folder.resolve("stopped/checkpoint-" + taken));
        assertThat(calm(dpo("whole", taken + 3))).as(err.toString()).isZero();
        assertThat(folder.resolve("stopped/model.safetensors"))
                .hasSameBinaryContentAs(folder.resolve("whole/model.safetensors"));
        assertThat(steps("stopped")).isEqualTo(taken + 3);
    }

    @Test
    void controlCEndsWith130AndTwiceAtOnce() throws Exception {
        // Whoever starts the tests may have them ignore it, which their children inherit.
        Path status = Path.of("/proc/self/status");
        assumeTrue(Files.exists(status));
        String ignored = Files.readAllLines(status).stream()
                .filter(line -> line.startsWith("SigIgn:"))
                .findFirst()
                .orElseThrow();
        assumeTrue(!new BigInteger(ignored.substring("SigIgn:".length()).strip(), 16).testBit(1));
        write();
        assertThat(stop("once", "INT")).isEqualTo(130);
        assertThat(Files.readString(folder.resolve("log"))).contains("Go on with: calm dpo");
        assertThat(stop("twice", "INT", "INT")).isEqualTo(130);
        int taken = steps("twice");
        assertThat(calm(dpo("twice", taken + 2, "--resume"))).as(err.toString()).isZero();
        assertThat(calm(dpo("whole", taken + 2))).as(err.toString()).isZero();
        assertThat(folder.resolve("twice/model.safetensors"))
                .hasSameBinaryContentAs(folder.resolve("whole/model.safetensors"));
    }
}
