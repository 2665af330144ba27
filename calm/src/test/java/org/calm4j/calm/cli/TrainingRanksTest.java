package org.calm4j.calm.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.calm4j.calm.experiment.ModelOnDisk;
import org.calm4j.engine.ranks.MpiLaunch;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Training on several processes, under every MPI of this machine. */
@Tag("slow")
final class TrainingRanksTest {
    private static final int MOST_WAITS = 1000;

    @TempDir
    private Path folder;

    @BeforeEach
    void write() throws IOException {
        ModelOnDisk.write(folder.resolve("model"));
        Files.write(
                folder.resolve("pairs.jsonl"),
                IntStream.range(0, 7)
                        .mapToObj(i ->
                                "{\"prompt_input_ids\":[3,%d],\"chosen_input_ids\":[4,%d],\"rejected_input_ids\":[5]}"
                                        .formatted(2 + i, 3 + i))
                        .toList());
        Files.write(
                folder.resolve("documents.jsonl"),
                IntStream.range(0, 5)
                        .mapToObj(i -> "{\"input_ids\":[3,%d,4,%d]}".formatted(2 + i, 3 + i))
                        .toList());
    }

    /** An adapter with dropout, replay, accumulation, evaluation, and a last batch that leaves parts empty. */
    @ParameterizedTest
    @MethodSource("org.calm4j.engine.ranks.MpiLaunch#all")
    void ranksDoNotDecideBits(MpiLaunch mpi) throws Exception {
        List<String> dpo = List.of(
                "dpo --data pairs.jsonl --batch-size 4 --micro-batch-size 1 --parts 4 --max-steps 3 --lora-rank 2 --lora-dropout 0.2 --replay documents.jsonl --replay-batch-size 3 --eval-steps 2 --eval-data pairs.jsonl --save-steps 2"
                        .split(" "));
        assertThat(alone(dpo, "one")).isZero();
        for (int ranks : new int[] {2, 4}) {
            MpiLaunch.Result result = end(start(mpi, ranks, dpo, "of-" + ranks));
            assertThat(result.code()).as(result.err()).isZero();
            assertThat(result.out())
                    .isEqualTo("3 steps, last loss " + lastLoss("one") + ". Saved in of-" + ranks + "\n");
            assertSame("one", "of-" + ranks, "adapter_model.safetensors", "checkpoint-2/optimizer.safetensors");
        }
        MpiLaunch.Result three = end(start(mpi, 3, dpo, "of-3"));
        assertThat(three.code()).isEqualTo(2);
        assertThat(three.err().lines().filter(line -> line.startsWith("calm dpo")))
                .containsExactly(
                        "calm dpo: 3 ranks do not divide 4 parts; take 1, 2 or 4 of them, or another value of --parts");
        assertThat(folder.resolve("of-3").resolve("metrics.jsonl")).doesNotExist();
    }

    /** The same command as for one process has its bytes, whatever the launcher started. */
    @ParameterizedTest
    @MethodSource("org.calm4j.engine.ranks.MpiLaunch#all")
    void withoutPartsOneTrains(MpiLaunch mpi) throws Exception {
        List<String> sft = List.of("sft --data documents.jsonl --batch-size 2 --max-steps 2".split(" "));
        assertThat(alone(sft, "single")).isZero();
        MpiLaunch.Result result = end(start(mpi, 2, sft, "launched"));
        assertThat(result.code()).as(result.err()).isZero();
        assertThat(result.out()).isEqualTo("2 steps, last loss " + lastLoss("single") + ". Saved in launched\n");
        assertSame("single", "launched", "model.safetensors");
    }

    /** Two ranks that divide the moments are killed; one process goes on, and four that don't. */
    @ParameterizedTest
    @MethodSource("org.calm4j.engine.ranks.MpiLaunch#all")
    void otherRanksGoOnAfterAKill(MpiLaunch mpi) throws Exception {
        List<String> sft =
                List.of("sft --data documents.jsonl --batch-size 4 --parts 4 --save-steps 2 --max-steps".split(" "));
        List<String> endless = with(sft, "4000");
        Process process = start(mpi, 2, with(endless, "--zero", "1", "--lr-scheduler", "constant"), "cut");
        for (int i = 0; i < MOST_WAITS && !Files.isDirectory(folder.resolve("cut/checkpoint-4")); i++) {
            Thread.sleep(100);
        }
        javas(process).get(1).destroyForcibly();
        assertThat(end(process).code()).isNotZero();
        int steps = newest("cut") + 3;
        List<String> longer = with(sft, String.valueOf(steps), "--lr-scheduler", "constant");
        assertThat(alone(longer, "one")).isZero();
        copy("cut", "cut-alone");
        assertThat(alone(with(longer, "--resume"), "cut-alone")).isZero();
        MpiLaunch.Result resumed = end(start(mpi, 4, with(longer, "--resume"), "cut"));
        assertThat(resumed.code()).as(resumed.err()).isZero();
        for (String output : List.of("cut", "cut-alone")) {
            assertSame("one", output, "model.safetensors", "checkpoint-" + steps / 2 * 2 + "/optimizer.safetensors");
        }
    }

    /** At moments and ranks that nobody chose, each time another number goes on; {@code -Dcalm4j.kills=20} kills more often. */
    @Test
    void anyRanksGoOnAfterKillsAtRandom() throws Exception {
        List<MpiLaunch> launchers = MpiLaunch.all().toList();
        long seed = Long.getLong("calm4j.seed", System.nanoTime());
        SplittableRandom random = new SplittableRandom(seed);
        List<String> dpo = List.of(
                "dpo --data pairs.jsonl --batch-size 4 --parts 4 --lr-scheduler constant --lora-rank 2 --lora-dropout 0.2 --save-steps 2 --save-total-limit 3 --max-steps"
                        .split(" "));
        int ranks = 1 << random.nextInt(3);
        for (int kill = 0; kill < Integer.getInteger("calm4j.kills", 1); kill++) {
            MpiLaunch mpi = launchers.get(random.nextInt(launchers.size()));
            int before = newest("cut");
            Process process =
                    start(mpi, ranks, with(dpo, "1000000", "--resume", "--zero", "" + random.nextInt(2)), "cut");
            boolean anywhere = random.nextInt(4) == 0;
            for (int i = 0; i < MOST_WAITS && (anywhere ? javas(process).isEmpty() : newest("cut") == before); i++) {
                Thread.sleep(20);
            }
            Thread.sleep(random.nextInt(500));
            List<ProcessHandle> javas = javas(process);
            assertThat(javas).as("seed %d, kill %d", seed, kill).isNotEmpty();
            javas.get(random.nextInt(javas.size())).destroyForcibly();
            MpiLaunch.Result killed = end(process);
            assertThat(killed.code())
                    .as("seed %d, kill %d of %d ranks: %s", seed, kill, ranks, killed.err())
                    .isNotZero();
            ranks = ranks == 1
                    ? 2 << random.nextInt(2)
                    : ranks == 2 ? 1 << 2 * random.nextInt(2) : 1 << random.nextInt(2);
        }
        String steps = String.valueOf(newest("cut") + 3);
        MpiLaunch.Result resumed = end(start(launchers.getFirst(), ranks, with(dpo, steps, "--resume"), "cut"));
        assertThat(resumed.code()).as("seed %d: %s", seed, resumed.err()).isZero();
        assertThat(alone(with(dpo, steps), "one")).isZero();
        assertThat(metrics("cut")).as("seed %d", seed).isEqualTo(metrics("one"));
        String last = "checkpoint-" + newest("one") + "/optimizer.safetensors";
        assertSame("one", "cut", "adapter_model.safetensors", last);
    }

    private static List<ProcessHandle> javas(Process process) {
        return process.descendants()
                .filter(each -> each.info().command().orElse("").endsWith("java"))
                .toList();
    }

    private static List<String> with(List<String> arguments, String... more) {
        List<String> all = new ArrayList<>(arguments);
        all.addAll(List.of(more));
        return all;
    }

    private List<String> command(List<String> arguments, String output, Path in) {
        List<String> all = new ArrayList<>();
        arguments.forEach(
                each -> all.add(each.endsWith(".jsonl") ? in.resolve(each).toString() : each));
        all.addAll(List.of(
                "--model",
                in.resolve("model").toString(),
                "--output",
                in.resolve(output).toString()));
        all.addAll(List.of("--device", "cpu", "--threads", "1", "--quiet"));
        return all;
    }

    private int alone(List<String> arguments, String output) {
        return Calm.execute(
                new PrintWriter(new StringWriter()),
                new PrintWriter(System.err),
                command(arguments, output, folder).toArray(String[]::new));
    }

    private Process start(MpiLaunch mpi, int ranks, List<String> arguments, String output) throws IOException {
        return mpi.java(
                ranks,
                folder,
                Map.of(),
                List.of(),
                Calm.class,
                command(arguments, output, Path.of("")).toArray(String[]::new));
    }

    private MpiLaunch.Result end(Process process) throws Exception {
        return MpiLaunch.end(process, folder);
    }

    private String lastLoss(String output) throws IOException {
        String line = Files.readAllLines(folder.resolve(output).resolve("metrics.jsonl"))
                .getLast();
        return "%.4f".formatted(Double.parseDouble(line.replaceFirst(".*\"loss\":([^,]*),.*", "$1")));
    }

    /** The newest checkpoint's step; 0 without one. */
    private int newest(String output) throws IOException {
        if (!Files.isDirectory(folder.resolve(output))) {
            return 0;
        }
        try (Stream<Path> files = Files.list(folder.resolve(output))) {
            return files.map(file -> file.getFileName().toString())
                    .filter(name -> name.matches("checkpoint-\\d+"))
                    .mapToInt(name -> Integer.parseInt(name.replace("checkpoint-", "")))
                    .max()
                    .orElse(0);
        }
    }

    private void copy(String from, String to) throws Exception {
        assertThat(new ProcessBuilder(
                                "cp",
                                "-a",
                                folder.resolve(from).toString(),
                                folder.resolve(to).toString())
                        .start()
                        .waitFor())
                .isZero();
    }

    private void assertSame(String one, String other, String... files) throws IOException {
        for (String file : files) {
            assertThat(folder.resolve(other).resolve(file))
                    .hasSameBinaryContentAs(folder.resolve(one).resolve(file));
        }
        assertThat(metrics(other)).isEqualTo(metrics(one));
    }

    private List<String> metrics(String output) throws IOException {
        return Files.readAllLines(folder.resolve(output).resolve("metrics.jsonl")).stream()
                .map(line -> line.replaceFirst("\"tokens_per_second\":[^,]*,", ""))
                .toList();
    }
}
