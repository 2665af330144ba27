package org.calm4j.calm.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.calm4j.calm.experiment.ModelOnDisk;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.OutputFolder;
import org.calm4j.engine.text.Tokenizer;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a command did not write it neither deletes nor replaces, whatever it is called. */
@Tag("slow")
class SomebodyElsesFilesTest {
    @TempDir
    Path folder;

    private Path model;
    private Path out;
    private final StringWriter err = new StringWriter();

    @BeforeEach
    void inputs() throws IOException {
        model = Files.createDirectory(folder.resolve("model"));
        ModelOnDisk.write(model);
        Tokenizer.wordLevel(
                        List.of(
                                "A", "B", "it", "is", "w", "A.", "B.", "A:", "B:", "(A)", "(B)", "AA", "BB", "and",
                                "so"),
                        "<unk>",
                        "<eos>")
                .save(model);
        out = folder.resolve("out");
        Files.writeString(
                folder.resolve("pairs.jsonl"),
                "{\"prompt\":\"w\",\"chosen\":\"it is A\",\"rejected\":\"it is B\"}\n".repeat(4));
        Files.writeString(folder.resolve("texts.jsonl"), "{\"text\":\"it is A\"}\n".repeat(4));
        StringBuilder questions = new StringBuilder();
        for (int q = 0; q < 12; q++) {
            for (String language : List.of("en", "fr")) {
                questions
                        .append("{\"id\":\"")
                        .append(q)
                        .append("\",\"language\":\"")
                        .append(language)
                        .append("\",\"question\":\"w\",\"choices\":")
                        .append(
                                "[{\"label\":\"A\",\"text\":\"it\"},{\"label\":\"B\",\"text\":\"is\"}],\"answer\":\"A\"}\n");
            }
        }
        Files.writeString(folder.resolve("questions.jsonl"), questions);
        Files.writeString(
                folder.resolve("experiment.yaml"),
                "model: " + model + "\nquestions: " + folder.resolve("questions.jsonl") + "\noutput: "
                        + out
                        + "\nsample: {responses: 12, max_new_tokens: 24}\nevaluate: {method: rank}\ndpo: {max_steps: 1, batch_size: 2}\n"
                        + "vote: {tie: language-order}\n");
    }

    private int calm(String... arguments) {
        err.getBuffer().setLength(0);
        return Calm.execute(new PrintWriter(new StringWriter()), new PrintWriter(err), arguments);
    }

    private int dpo(String... more) {
        return calm(Stream.concat(
                        Stream.of(
                                "dpo",
                                "--model",
                                model.toString(),
                                "--data",
                                folder.resolve("pairs.jsonl").toString(),
                                "--output",
                                out.toString(),
                                "--max-steps",
                                "2",
                                "--batch-size",
                                "2",
                                "--quiet"),
                        Stream.of(more))
                .toArray(String[]::new));
    }

    private int run(String... more) {
        return calm(Stream.concat(
                        Stream.of("run", folder.resolve("experiment.yaml").toString(), "--quiet"), Stream.of(more))
                .toArray(String[]::new));
    }

    private static Map<String, String> contents(Path folder) throws IOException {
        Map<String, String> contents = new TreeMap<>();
        try (Stream<Path> files = Files.walk(folder)) {
            for (Path file : (Iterable<Path>) files::iterator) {
                contents.put(
                        folder.relativize(file).toString(),
                        Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)
                                ? new String(Files.readAllBytes(file), java.nio.charset.StandardCharsets.ISO_8859_1)
                                : Files.isSymbolicLink(file) ? "link" : "folder");
            }
        }
        return contents;
    }

    private void refused(int code, Map<String, String> before, String name) throws IOException {
        assertThat(code).as(err.toString()).isEqualTo(3);
        assertThat(err.toString()).contains(name).doesNotContain("defect").hasLineCount(1);
        assertThat(contents(out)).isEqualTo(before);
    }

    private void put(String name) throws IOException {
        Path file = out.resolve(name);
        Files.createDirectories(file.getParent());
        Files.writeString(file, "{\"precious\": 1}\n");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "calm/precious.txt",
                "calm",
                "eval-before/eval.json",
                "eval-after/x",
                "samples.jsonl",
                "votes.jsonl",
                "pairs.jsonl",
                "pair-counts.json",
                "report.html",
                "report.md",
                "result.json",
                "experiment.json",
                "timings.json",
                ".samples.jsonl.partial/x"
            })
    void anExperimentRefusesBeforeItsFirstStage(String name) throws IOException {
        put(name);
        put("somebody.txt");
        Map<String, String> before = contents(out);
        refused(run(), before, name.startsWith(".") ? ".samples.jsonl.partial" : name);
        refused(run("--dry-run"), before, name.startsWith(".") ? ".samples.jsonl.partial" : name);
    }

    /** Which file of a checkpoint is damaged, what is wrong with it, and what to do. */
    @Test
    void aDamagedCheckpointIsNamed() throws IOException {
        assertThat(dpo("--save-steps", "1")).as(err.toString()).isZero();
        Path checkpoint = out.resolve("checkpoint-2");
        for (String name : List.of("trainer_state.json", "optimizer.safetensors", "model.safetensors", "config.json")) {
            byte[] honest = Files.readAllBytes(checkpoint.resolve(name));
            Files.write(checkpoint.resolve(name), java.util.Arrays.copyOf(honest, honest.length / 2));
            assertThat(dpo("--save-steps", "1", "--resume")).isEqualTo(3);
            assertThat(err.toString())
                    .contains("checkpoint-2/" + name + ":")
                    .contains("remove the folder checkpoint-2");
            Files.write(checkpoint.resolve(name), honest);
        }
        Files.writeString(checkpoint.resolve("trainer_state.json"), "{\"global_step\":2}");
        assertThat(dpo("--save-steps", "1", "--resume")).isEqualTo(3);
        assertThat(err.toString()).contains("trainer_state.json: is not what was written there");
        // What the message says helps.
        try (Stream<Path> files = Files.list(checkpoint)) {
            for (Path file : files.toList()) {
                Files.delete(file);
            }
        }
        Files.delete(checkpoint);
        assertThat(dpo("--save-steps", "1", "--resume")).as(err.toString()).isZero();
        assertThat(checkpoint.resolve("trainer_state.json")).exists();
    }

    /** An output that is a file of an input model. */
    @Test
    void aModelIsNotOverwritten() throws IOException {
        Path texts = folder.resolve("in.jsonl");
        Files.writeString(texts, "{\"id\":1,\"text\":\"w\",\"prompt\":\"w\",\"completion\":\"A\"}\n");
        for (String command : List.of("score", "tokenize", "generate", "sample")) {
            for (String name : List.of("config.json", "model.safetensors", "tokenizer.json", "link")) {
                Path file = model.resolve(name);
                if (name.equals("link")) {
                    Files.deleteIfExists(folder.resolve("link"));
                    file = Files.createSymbolicLink(folder.resolve("link"), model.resolve("config.json"));
                }
                Map<String, String> before = contents(model);
                int code = calm(
                        command,
                        "--model",
                        model.toString(),
                        command.equals("sample") ? "--data" : "--input",
                        (command.equals("sample") ? folder.resolve("questions.jsonl") : texts).toString(),
                        "--output",
                        file.toString());
                assertThat(code).as(command + " " + name + err).isEqualTo(2);
                assertThat(err.toString()).contains(file + " is an input and would be overwritten");
                assertThat(contents(model)).isEqualTo(before);
            }
        }
        assertThat(calm(
                        "score",
                        "--model",
                        model.toString(),
                        "--input",
                        texts.toString(),
                        "--output",
                        model.resolve("scores.jsonl").toString()))
                .as(err.toString())
                .isZero();
    }

    /** Without votes for the winner there is no margin, and no weight of 0 in silence. */
    @Test
    void marginsNeedVotes() throws IOException {
        String choices = "\"choices\":[{\"label\":\"A\",\"text\":\"it\"},{\"label\":\"B\",\"text\":\"is\"}]";
        Path samples = Files.writeString(
                folder.resolve("s.jsonl"),
                "{\"id\":\"1\",\"language\":\"en\",\"question\":\"w\"," + choices
                        + ",\"prompt\":\"w\",\"responses\":[{\"text\":\"A\"},{\"text\":\"B\"}]}\n");
        for (String more : List.of(
                "",
                ",\"votes\":null",
                ",\"votes\":{}",
                ",\"votes\":{\"A\":0}",
                ",\"votes\":{\"B\":2}",
                ",\"votes\":{\"A\":1},\"scores\":{}",
                ",\"votes\":{\"A\":null}")) {
            Path votes = Files.writeString(folder.resolve("v.jsonl"), "{\"id\":\"1\",\"answer\":\"A\"" + more + "}\n");
            assertThat(calm(
                            "pairs",
                            "--samples",
                            samples.toString(),
                            "--votes",
                            votes.toString(),
                            "--output",
                            out.toString(),
                            "--margin-weights"))
                    .as(more + err)
                    .isEqualTo(3);
            assertThat(err.toString()).contains("v.jsonl:1").doesNotContain("defect");
            if (!more.contains("null}")) {
                assertThat(calm(
                                "pairs",
                                "--samples",
                                samples.toString(),
                                "--votes",
                                votes.toString(),
                                "--output",
                                out.toString()))
                        .as(more + err)
                        .isZero();
            }
        }
    }

    @Test
    void aFolderInPlaceOfAFileIsSaidToBeOne() throws IOException {
        String place = Files.createDirectory(folder.resolve("f.jsonl")).toString();
        String o = out.toString();
        String m = model.toString();
        for (String[] arguments : new String[][] {
            {"score", "--model", m, "--input", place, "--output", o},
            {"vote", "--samples", place, "--output", o},
            {"import", place, "--language", "en", "--output", o},
            {"run", place},
            {"dpo", "--model", m, "--data", place, "--output", o},
            {"tokenizer", "--data", place, "--output", o},
            {
                "sample",
                "--model",
                m,
                "--data",
                folder.resolve("questions.jsonl").toString(),
                "--prompts",
                place,
                "--output",
                o
            }
        }) {
            assertThat(calm(arguments)).as(String.join(" ", arguments) + err).isEqualTo(3);
            assertThat(err.toString())
                    .as(arguments[0])
                    .contains("f.jsonl")
                    .contains("is a folder, not a file")
                    .doesNotContain("IOException");
        }
    }

    @Test
    void anExperimentOfSeveralSeedsRefusesBeforeTheFirst() throws IOException {
        put("seed-2/calm/x");
        Map<String, String> before = contents(out);
        refused(run("--seeds", "1,2"), before, "calm/x");
        Files.delete(out.resolve("seed-2/calm/x"));
        put("report.html");
        before = contents(out);
        refused(run("--seeds", "1,2"), before, "report.html");
    }

    /** Its own are replaced, what others changed or added since is not. */
    @Test
    void anExperimentReplacesItsOwn() throws IOException {
        assertThat(run()).as(err.toString()).isZero();
        assertThat(run("--set", "sample.responses=13")).as(err.toString()).isZero();
        put("calm/notes.txt");
        Map<String, String> before = contents(out);
        refused(run("--set", "dpo.learning_rate=1e-4"), before, "calm/notes.txt");
        assertThat(run("--set", "sample.responses=13"))
                .as("nothing is to be replaced: " + err)
                .isZero();
        Files.delete(out.resolve("calm/notes.txt"));
        put("samples.jsonl");
        before = contents(out);
        refused(run("--set", "sample.responses=12"), before, "samples.jsonl");
    }

    /** A link is not followed, and what it leads to stays. */
    @Test
    void links() throws IOException {
        Path elsewhere = Files.createDirectory(folder.resolve("elsewhere"));
        Files.writeString(elsewhere.resolve("model.safetensors"), "precious");
        Files.createDirectories(out);
        Files.createSymbolicLink(out.resolve("calm"), elsewhere);
        refused(run(), contents(out), "calm");
        Files.delete(out.resolve("calm"));
        Files.createSymbolicLink(out.resolve("tokenizer.json"), elsewhere.resolve("model.safetensors"));
        refused(dpo(), contents(out), "tokenizer.json");
        assertThat(elsewhere.resolve("model.safetensors")).hasContent("precious");
    }

    /** Runs of an earlier version kept no record, and the time in the ledger. */
    @Test
    void anExperimentOfAnEarlierVersionGoesOn() throws IOException {
        assertThat(run()).as(err.toString()).isZero();
        try (Stream<Path> files = Files.walk(out)) {
            for (Path record : files.filter(file -> file.endsWith(".calm4j")).toList()) {
                Files.delete(record);
            }
        }
        Files.delete(out.resolve("timings.json"));
        try (Stream<Path> files = Files.list(out.resolve(".stages"))) {
            for (Path stage : files.toList()) {
                Files.writeString(stage, Files.readString(stage).replace("\"done\" : true", "\"seconds\" : 1.5"));
            }
        }
        assertThat(run("--dry-run")).as(err.toString()).isZero();
        assertThat(run("--set", "sample.responses=13")).as(err.toString()).isZero();
        assertThat(run("--set", "sample.responses=12")).as(err.toString()).isZero();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "metrics.jsonl",
                "model.safetensors",
                "config.json",
                "train_config.json",
                "tokenizer.json",
                "checkpoint-1/weights.bin",
                "checkpoint-7",
                "adapter_config.json",
                "model-00001-of-00002.safetensors",
                "model.safetensors.index.json"
            })
    void aTrainingRefuses(String name) throws IOException {
        put(name);
        Map<String, String> before = contents(out);
        refused(dpo(), before, name);
        refused(dpo("--save-steps", "1", "--resume"), before, name);
    }

    @Test
    void aTrainingReplacesItsOwnAndNoneOther() throws IOException {
        put("notes.txt");
        assertThat(dpo()).as(err.toString()).isZero();
        assertThat(dpo()).as(err.toString()).isZero();
        assertThat(dpo("--save-steps", "1")).as(err.toString()).isZero();
        assertThat(dpo("--save-steps", "1", "--resume")).as(err.toString()).isZero();
        Files.delete(out.resolve(".calm4j"));
        assertThat(dpo("--save-steps", "1", "--resume"))
                .as("of an earlier version: " + err)
                .isZero();
        put("model.safetensors");
        refused(dpo("--save-steps", "1", "--resume"), contents(out), "model.safetensors");
    }

    @ParameterizedTest
    @ValueSource(strings = {"eval.json", "predictions.jsonl", "scores.jsonl", "responses.jsonl", "comparison.json"})
    void anEvaluationRefuses(String name) throws IOException {
        put(name);
        String[] evaluate = {
            "evaluate",
            "--model",
            model.toString(),
            "--data",
            folder.resolve("questions.jsonl").toString(),
            "--output",
            out.toString(),
            "--method",
            "rank",
            "--quiet"
        };
        refused(calm(evaluate), contents(out), name);
        Files.delete(out.resolve(name));
        assertThat(calm(evaluate)).as(err.toString()).isZero();
        assertThat(calm(evaluate)).as(err.toString()).isZero();
        Files.deleteIfExists(out.resolve(".calm4j"));
        assertThat(calm(evaluate)).as("of an earlier version: " + err).isZero();
    }

    @Test
    void theSecondProcessSaysWhoHoldsTheFolder() throws IOException {
        try (OutputFolder _ = OutputFolder.open(out, said -> {})) {
            Map<String, String> before = contents(out);
            assertThat(dpo()).isEqualTo(1);
            assertThat(err.toString())
                    .contains(out.toString(), "is writing there")
                    .hasLineCount(1);
            assertThat(run()).isEqualTo(1);
            assertThat(contents(out)).isEqualTo(before);
        }
        assertThat(dpo()).as(err.toString()).isZero();
        assertThat(out).isDirectoryNotContaining("glob:**.lock");
    }

    /** Equal runs, equal files, but for the times. */
    @Test
    void twoRunsOfASeedHaveTheSameBytes() throws IOException {
        assertThat(run()).as(err.toString()).isZero();
        Map<String, String> first = contents(out);
        Files.move(out, folder.resolve("first"));
        assertThat(run()).as(err.toString()).isZero();
        Map<String, String> second = contents(out);
        for (Map<String, String> each : List.of(first, second)) {
            assertThat(each).containsKeys("report.html", "result.json", "timings.json", ".calm4j", ".stages/dpo.json");
            each.remove("timings.json");
            each.computeIfPresent(
                    "calm/metrics.jsonl", (name, text) -> text.replaceAll("\"tokens_per_second\":[^,}]*", ""));
        }
        assertThat(second.keySet()).isEqualTo(first.keySet());
        first.forEach((name, content) ->
                assertThat(second.get(name).equals(content)).as(name).isTrue());
        assertThat(calm("report", out.toString(), "--times", "--quiet"))
                .as(err.toString())
                .isZero();
        assertThat(out.resolve("report.html")).content().contains("Time by stage");
        assertThat(Json.read(out.resolve("timings.json"), JsonNode.class).has("dpo"))
                .isTrue();
    }
}
