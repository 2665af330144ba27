package org.calm4j.calm.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.calm4j.calm.experiment.WorldOnDisk;
import org.calm4j.calm.run.PartialLines;
import org.calm4j.calm.run.StagePlan;
import org.calm4j.engine.ranks.MpiLaunch;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The program as several processes, under every MPI of this machine: it does what one process does. */
@Tag("slow")
class OneOfManyTest {
    /** Its questions, of which five are a part with so many responses. */
    private static final int QUESTIONS = 12;

    private static final String[] SAMPLE = {
        "sample",
        "--model",
        "model",
        "--data",
        "questions.jsonl",
        "--prompts",
        "world/prompts.yaml",
        "--responses",
        "1024",
        "--max-new-tokens",
        "1"
    };

    @TempDir
    private static Path world;

    @TempDir
    private Path folder;

    @BeforeAll
    static void world() throws IOException {
        MpiLaunch.all();
        WorldOnDisk.write(world);
        List<String> questions = Files.readAllLines(world.resolve("world/some.jsonl"));
        Files.write(world.resolve("questions.jsonl"), questions.subList(0, QUESTIONS));
    }

    @BeforeEach
    void links() throws IOException {
        for (String name : List.of("model", "world", "questions.jsonl")) {
            Files.createSymbolicLink(folder.resolve(name), world.resolve(name));
        }
    }

    private static String[] with(String[] arguments, String... more) {
        List<String> all = new ArrayList<>(List.of(arguments));
        all.addAll(List.of(more));
        return all.toArray(String[]::new);
    }

    /** What one process does; names of files are below a folder, as they are for ranks. */
    private String alone(String... arguments) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        String[] placed = List.of(arguments).stream()
                .map(each -> Files.exists(folder.resolve(each)) || each.startsWith("alone")
                        ? folder.resolve(each).toString()
                        : each)
                .toArray(String[]::new);
        assertThat(Calm.execute(new PrintWriter(out), new PrintWriter(err), placed))
                .as(err.toString())
                .isZero();
        return out.toString();
    }

    private Process start(MpiLaunch mpi, int ranks, String... arguments) throws IOException {
        return mpi.java(
                ranks,
                folder,
                Map.of(),
                List.of("-Dslf4j.internal.verbosity=ERROR", "-XX:TieredStopAtLevel=1"),
                Calm.class,
                arguments);
    }

    private MpiLaunch.Result run(MpiLaunch mpi, int ranks, String... arguments) throws Exception {
        return MpiLaunch.end(start(mpi, ranks, arguments), folder);
    }

    private void assertSame(String one, String other) {
        assertThat(folder.resolve(other)).hasSameBinaryContentAs(folder.resolve(one));
    }

    private static List<String> errors(MpiLaunch.Result result) {
        return result.err()
                .lines()
                .filter(line -> line.startsWith("calm ") || line.startsWith("calm: rank"))
                .toList();
    }

    @ParameterizedTest
    @MethodSource("org.calm4j.engine.ranks.MpiLaunch#all")
    void samplesAreThoseOfOneProcess(MpiLaunch mpi) throws Exception {
        alone(with(SAMPLE, "--output", "alone.jsonl"));
        MpiLaunch.Result result = run(mpi, 2, with(SAMPLE, "--output", "ranks.jsonl", "--json"));
        assertThat(result.code()).as(result.err()).isZero();
        assertThat(result.out().lines()).containsExactly("{\"output\":\"ranks.jsonl\"}");
        assertSame("alone.jsonl", "ranks.jsonl");
    }

    @ParameterizedTest
    @MethodSource("org.calm4j.engine.ranks.MpiLaunch#all")
    void badInputIsSaidOnceAndEndsAll(MpiLaunch mpi) throws Exception {
        Files.writeString(folder.resolve("broken.jsonl"), "{\"id\":1,\n");
        MpiLaunch.Result result = run(
                mpi, 2, "sample", "--model", "model", "--data", "broken.jsonl", "--output", "samples.jsonl", "--quiet");
        assertThat(result.code()).isEqualTo(3);
        assertThat(errors(result)).containsExactly("calm sample: broken.jsonl:1: not valid JSON, at column 9");
        assertThat(folder.resolve("samples.jsonl")).doesNotExist();
    }

    /** All but the first are sent to a place without the file. */
    @Test
    void whatOneRankMissesIsSaidWithItsName() throws Exception {
        MpiLaunch mpi = MpiLaunch.all().findFirst().orElseThrow();
        Path elsewhere = Files.createDirectory(folder.resolve("elsewhere"));
        Files.createSymbolicLink(elsewhere.resolve("model"), world.resolve("model"));
        Files.createSymbolicLink(elsewhere.resolve("world"), world.resolve("world"));
        Path program = Files.writeString(
                folder.resolve("program"),
                "#!/bin/sh\n[ \"${OMPI_COMM_WORLD_RANK:-$PMI_RANK}\" = 0 ] || cd elsewhere\nexec \"$@\"\n");
        assertThat(program.toFile().setExecutable(true)).isTrue();
        MpiLaunch.Result result = MpiLaunch.end(
                mpi.java(
                        2,
                        folder,
                        Map.of(),
                        List.of("-XX:TieredStopAtLevel=1"),
                        program,
                        Calm.class,
                        with(SAMPLE, "--output", "samples.jsonl")),
                folder);
        assertThat(result.code()).isEqualTo(3);
        assertThat(errors(result))
                .singleElement()
                .asString()
                .startsWith("calm sample: rank 1 on ")
                .endsWith(": questions.jsonl: no such file");
    }

    @Test
    void aKilledRankEndsAllAndAnyNumberGoesOn() throws Exception {
        MpiLaunch mpi = MpiLaunch.all().findFirst().orElseThrow();
        alone(with(SAMPLE, "--output", "alone.jsonl"));
        Process process = start(mpi, 2, with(SAMPLE, "--output", "ranks.jsonl", "--threads", "1"));
        Path partial = PartialLines.of(folder.resolve("ranks.jsonl"));
        while (process.isAlive()
                && !(Files.exists(partial) && Files.readString(partial).contains("{\"part\":"))) {
            Thread.sleep(5);
        }
        process.descendants()
                .filter(each -> each.info().command().orElse("").endsWith("java"))
                .findFirst()
                .ifPresent(ProcessHandle::destroyForcibly);
        assertThat(process.waitFor(1, TimeUnit.MINUTES)).isTrue();
        // On a fast machine it may have been through.
        if (process.exitValue() != 0) {
            assertThat(folder.resolve("ranks.jsonl")).doesNotExist();
            assertThat(run(mpi, 3, with(SAMPLE, "--output", "ranks.jsonl", "--resume"))
                            .code())
                    .isZero();
        }
        assertSame("alone.jsonl", "ranks.jsonl");
    }

    @Test
    void scoresAndCompletionsAreThoseOfOneProcess() throws Exception {
        MpiLaunch mpi = MpiLaunch.all().findFirst().orElseThrow();
        List<String> texts = new ArrayList<>();
        List<String> prompts = new ArrayList<>();
        for (int i = 0; i < 400; i++) {
            String text = "en " + "Japan = ".repeat(1 + i % 9);
            texts.add("{\"id\":" + i + ",\"prompt\":\"" + text + "\",\"completion\":\"en Asia\"}");
            prompts.add("{\"id\":" + i + ",\"prompt\":\"" + text + "\"}");
        }
        Files.write(folder.resolve("texts.jsonl"), texts);
        Files.write(folder.resolve("prompts.jsonl"), prompts);
        String[] score = {"score", "--model", "model", "--input", "texts.jsonl"};
        alone(with(score, "--output", "alone-scores.jsonl"));
        assertThat(run(mpi, 2, with(score, "--output", "scores.jsonl")).code()).isZero();
        assertSame("alone-scores.jsonl", "scores.jsonl");
        String[] generate = {
            "generate",
            "--model",
            "model",
            "--input",
            "prompts.jsonl",
            "--num-return-sequences",
            "32",
            "--max-new-tokens",
            "2"
        };
        alone(with(generate, "--output", "alone.jsonl"));
        assertThat(run(mpi, 2, with(generate, "--output", "ranks.jsonl")).code())
                .isZero();
        assertSame("alone.jsonl", "ranks.jsonl");
    }

    @Test
    void rankedChoicesAreThoseOfOneProcess() throws Exception {
        MpiLaunch mpi = MpiLaunch.all().findFirst().orElseThrow();
        String[] evaluate = {
            "evaluate",
            "--model",
            "model",
            "--data",
            "questions.jsonl",
            "--prompts",
            "world/prompts.yaml",
            "--method",
            "rank"
        };
        alone(with(evaluate, "--output", "alone"));
        assertThat(run(mpi, 2, with(evaluate, "--output", "ranks")).code()).isZero();
        for (String file : List.of("eval.json", "predictions.jsonl", "scores.jsonl")) {
            assertSame("alone/" + file, "ranks/" + file);
        }
    }

    @Test
    void anExperimentIsThatOfOneProcess() throws Exception {
        MpiLaunch mpi = MpiLaunch.all().findFirst().orElseThrow();
        Files.writeString(folder.resolve("run.yaml"), """
                model: model
                questions: [questions.jsonl]
                prompts: world/prompts.yaml
                output: ranks
                sample: {responses: 16, max_new_tokens: 8}
                dpo: {max_steps: 2, batch_size: 4}
                """);
        MpiLaunch.Result first = run(mpi, 1, "run", "run.yaml", "--json");
        assertThat(first.code()).as(first.err()).isZero();
        Files.move(folder.resolve("ranks"), folder.resolve("alone"));
        MpiLaunch.Result result = run(mpi, 2, "run", "run.yaml", "--json");
        assertThat(result.code()).as(result.err()).isZero();
        assertThat(result.out().lines()).hasSize(1);
        Map<String, String> files = withoutTimes(folder.resolve("ranks"));
        assertThat(files).containsKeys("samples.jsonl", "calm/model.safetensors", "report.html", ".stages/dpo.json");
        assertThat(files).isEqualTo(withoutTimes(folder.resolve("alone")));
        // What is done is not done again.
        MpiLaunch.Result again = run(mpi, 1, "run", "run.yaml", "--json");
        assertThat(again.out()).isEqualTo(result.out());
        assertThat(again.err()).contains("sample: done before");
    }

    /** The bytes of each file, one character each, but for the seconds of stages and the speed of steps. */
    private static Map<String, String> withoutTimes(Path experiment) throws IOException {
        Map<String, String> files = new TreeMap<>();
        try (Stream<Path> all = Files.walk(experiment)) {
            for (Path file : all.filter(Files::isRegularFile).toList()) {
                String bytes = Files.readString(file, StandardCharsets.ISO_8859_1);
                files.put(
                        experiment.relativize(file).toString(),
                        switch (file.getFileName().toString()) {
                            case StagePlan.TIMINGS -> bytes.replaceAll(" : [0-9.E-]+", "");
                            case "metrics.jsonl" -> bytes.replaceAll("\"tokens_per_second\":[^,]*,", "");
                            default -> bytes;
                        });
            }
        }
        return files;
    }

    /** Other commands are rank 0's alone. */
    @Test
    void doctorIsAskedOnceAndTellsWhoStartedIt() throws Exception {
        MpiLaunch mpi = MpiLaunch.all().findFirst().orElseThrow();
        MpiLaunch.Result result = run(mpi, 2, "doctor");
        assertThat(result.code()).isZero();
        assertThat(result.out().lines().filter(line -> line.startsWith("launcher")))
                .singleElement()
                .asString()
                .contains("2 processes, this is rank 0 on ");
        assertThat(result.out()).contains("MPI ", "the ABI of ");
        assertThat(result.err()).contains("calm: rank 0 does this alone, the other ranks wait");
    }
}
