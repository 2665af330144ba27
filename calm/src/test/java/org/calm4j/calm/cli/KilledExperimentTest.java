package org.calm4j.calm.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.calm4j.calm.experiment.WorldOnDisk;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Jsonl;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** An experiment in a JVM of its own that is killed and stopped again and again ends with the bytes of the one that never was. */
@Tag("slow")
class KilledExperimentTest {
    private static final int KILLS = 10;

    @TempDir
    Path folder;

    @Test
    void killedTenTimesItEndsWithTheSameBytes() throws Exception {
        WorldOnDisk.write(folder);
        Path calm = Files.createDirectory(folder.resolve("calm"));
        long start = System.nanoTime();
        assertThat(start(calm).waitFor()).as(log(calm)).isZero();
        long took = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - start);

        Path killed = Files.createDirectory(folder.resolve("killed"));
        Random random = new Random(1);
        int kills = 0;
        for (int run = 0; run < KILLS; run++) {
            Process process = start(killed);
            // Most of the time is the start of a JVM; what one run leaves, the next one takes further.
            if (!process.waitFor((long) (took * (0.2 + 0.5 * random.nextDouble())), TimeUnit.MILLISECONDS)) {
                // In turn SIGTERM, which lets it stop where it goes on, and SIGKILL, which does not.
                process = run % 2 == 0 ? process.destroyForcibly() : asked(process);
                process.waitFor();
                kills++;
            }
        }
        assertThat(kills).isPositive();
        assertThat(start(killed).waitFor()).as(log(killed)).isZero();
        assertThat(contents(killed)).containsExactlyEntriesOf(contents(calm));
    }

    private static Process asked(Process process) {
        process.destroy();
        return process;
    }

    private Process start(Path where) throws IOException {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:+UseSerialGC",
                "--add-modules",
                "jdk.incubator.vector",
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                System.getProperty("java.class.path"),
                Calm.class.getName(),
                "run",
                folder.resolve("experiment.yaml").toString(),
                "--threads",
                "1"));
        return new ProcessBuilder(command)
                .directory(where.toFile())
                .redirectErrorStream(true)
                .redirectOutput(
                        ProcessBuilder.Redirect.appendTo(where.resolve("log").toFile()))
                .start();
    }

    private static String log(Path where) throws IOException {
        return Files.readString(where.resolve("log"));
    }

    /** All files by their place, their text or digest; without what tells how long it took. */
    private static Map<String, String> contents(Path where) throws Exception {
        Path output = where.resolve("out");
        Map<String, String> contents = new TreeMap<>();
        try (Stream<Path> files = Files.walk(output)) {
            for (Path file : (Iterable<Path>) files.filter(Files::isRegularFile)::iterator) {
                String name = output.relativize(file).toString();
                if (name.endsWith("metrics.jsonl")) {
                    List<JsonNode> steps = Jsonl.read(file, JsonNode.class);
                    steps.forEach(step -> ((ObjectNode) step).remove("tokens_per_second"));
                    contents.put(name, Json.compact(steps));
                } else if (!name.equals("timings.json")) {
                    contents.put(
                            name,
                            HexFormat.of()
                                    .formatHex(
                                            MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(file))));
                }
            }
        }
        assertThat(contents)
                .containsKeys(
                        "samples.jsonl",
                        "votes.jsonl",
                        "pairs.jsonl",
                        "calm/model.safetensors",
                        "eval-after/eval.json");
        assertThat(contents.keySet())
                .as("nothing is left over")
                .noneMatch(name -> name.contains(".partial")
                        || name.contains(".tmp")
                        || name.contains(".lock")
                        || name.contains("checkpoint"));
        return contents;
    }
}
