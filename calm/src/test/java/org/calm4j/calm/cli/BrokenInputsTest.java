package org.calm4j.calm.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.calm4j.calm.experiment.ModelOnDisk;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Fields dropped, of a wrong type, hostile: bad input with file and line, in our words, short, and nothing that a terminal would obey. */
@Tag("slow")
class BrokenInputsTest {
    private static final String QUESTION =
            "{\"id\":\"1\",\"language\":\"en\",\"question\":\"q\",\"choices\":[{\"label\":\"A\",\"text\":\"a\"},"
                    + "{\"label\":\"B\",\"text\":\"b\"}],\"answer\":\"A\"";
    private static final String SAMPLES =
            QUESTION + ",\"responses\":[{\"text\":\"Answer: A\",\"answer\":\"A\",\"logprob\":-1.0,\"num_tokens\":3},"
                    + "{\"text\":\"Answer: B\",\"answer\":\"B\",\"logprob\":-1.0,\"num_tokens\":3}]}";
    private static final String VOTE =
            "{\"id\":\"1\",\"answer\":\"A\",\"votes\":{\"A\":1,\"B\":1},\"by_language\":{\"en\":{\"A\":1,\"B\":1}},"
                    + "\"agreement\":0.5,\"tie\":false}";
    private static final List<String> WRONG = List.of(
            "null",
            "7",
            "-1e400",
            "\"text\"",
            "[]",
            "{}",
            "[null]",
            "{\"A\":null}",
            "true",
            "[[{}]]",
            "\"\\u001b[31mred\\u0007\\u202e\"",
            "\"" + "x".repeat(5000) + "\"",
            "[\"" + "y z ".repeat(2000) + "\"]");

    @TempDir
    Path folder;

    private final List<String> unclear = new ArrayList<>();
    private int tried;

    private void tried(String what, String... arguments) {
        StringWriter err = new StringWriter();
        int code = Calm.execute(new PrintWriter(new StringWriter()), new PrintWriter(err), arguments);
        tried++;
        String said = err.toString();
        boolean clear = code == 0
                || (code == 3 || code == 2)
                        && said.lines().count() <= 3
                        && said.lines().allMatch(line -> line.length() < 700)
                        && said.replace("\n", "").chars().noneMatch(Character::isISOControl)
                        && !said.matches(
                                "(?s).*(Exception|Cannot |[Dd]eserializ|JsonToken|VALUE_|START_|jackson|java\\.|LinkedHashMap|defect|x{81}).*");
        if (!clear) {
            unclear.add(what + " → " + code + " " + said);
        }
    }

    /** Each field of a line in turn, dropped and with each wrong value. */
    private List<String> mutated(String line) throws IOException {
        List<String> all = new ArrayList<>(List.of(
                "",
                "{",
                "[]",
                "null",
                "{\"id\":",
                line + line,
                line.substring(0, line.length() / 2),
                "{\"a\":1,\"a\":2}",
                "\u001b]0;x\u0007",
                "{\"\u001b[2J\":1}",
                "\"x\"",
                "[".repeat(500)));
        var tree = (com.fasterxml.jackson.databind.node.ObjectNode)
                org.calm4j.engine.io.Json.mapper().readTree(line);
        for (var field : tree.properties()) {
            var without = tree.deepCopy();
            without.remove(field.getKey());
            all.add(without.toString());
            for (String wrong : WRONG) {
                all.add(line.replace(
                        "\"" + field.getKey() + "\":" + field.getValue(), "\"" + field.getKey() + "\":" + wrong));
            }
        }
        return all;
    }

    private String file(String name, String content) throws IOException {
        return Files.writeString(folder.resolve(name), content + "\n").toString();
    }

    @Test
    void readers() throws IOException {
        Path model = Files.createDirectory(folder.resolve("model"));
        ModelOnDisk.write(model);
        String samples = file("samples.jsonl", SAMPLES);
        String votes = file("votes.jsonl", VOTE);
        String out = folder.resolve("out.jsonl").toString();
        for (String line : mutated(SAMPLES)) {
            String broken = file("broken.jsonl", line);
            tried("vote " + line, "vote", "--samples", broken, "--output", out);
            tried("pairs " + line, "pairs", "--samples", broken, "--votes", votes, "--output", out);
        }
        for (String line : mutated(VOTE)) {
            tried(
                    "votes " + line,
                    "pairs",
                    "--samples",
                    samples,
                    "--votes",
                    file("broken.jsonl", line),
                    "--output",
                    out);
            tried(
                    "votes " + line,
                    "pairs",
                    "--samples",
                    samples,
                    "--votes",
                    file("broken.jsonl", line),
                    "--output",
                    out,
                    "--margin-weights",
                    "--chosen",
                    "most-voted",
                    "--rejected",
                    "least-voted");
        }
        for (String line : mutated(
                "{\"id\":\"1\",\"language\":\"en\",\"answer\":\"A\",\"prediction\":\"A\",\"confidence\":0.5}")) {
            tried(
                    "predictions " + line,
                    "evaluate",
                    "--predictions",
                    file("broken.jsonl", line),
                    "--output",
                    folder.resolve("eval").toString());
        }
        for (String line : mutated("{\"id\":1,\"input_ids\":[1,2,3],\"completion_start\":1}")) {
            tried(
                    "score " + line,
                    "score",
                    "--model",
                    model.toString(),
                    "--input",
                    file("broken.jsonl", line),
                    "--output",
                    out);
        }
        for (String line : mutated(
                "{\"prompt_input_ids\":[1,2],\"chosen_input_ids\":[3],\"rejected_input_ids\":[4],\"weight\":1.0}")) {
            tried(
                    "dpo " + line,
                    "dpo",
                    "--model",
                    model.toString(),
                    "--data",
                    file("broken.jsonl", line),
                    "--output",
                    folder.resolve("dpo").toString(),
                    "--max-steps",
                    "1");
        }
        for (String line : mutated(QUESTION + "}")) {
            tried("import " + line, "import", file("broken.jsonl", line), "--language", "en", "--output", out);
        }
        for (String line : List.of(
                "model: [1",
                "model: {a: b}\nquestions: x\noutput: y",
                "model: x\nquestions: {a: 1}\noutput: y",
                "\t",
                "model: x\nmodel: y",
                "model: x\nquestions: x\noutput: y\nseed: \"\\e[31m\"",
                "model: x\nquestions: x\noutput: y\nsample: [1]",
                "? [a]\n: b",
                "a: *b",
                "model: x\nquestions: x\noutput: y\nvote: {tie: " + "z".repeat(3000) + "}",
                "- 1",
                "7",
                "model: x\nquestions: x\noutput: y\narms: {x: {dpo: {beta: []}}}")) {
            tried("run " + line, "run", file("broken.yaml", line), "--dry-run");
            tried(
                    "prompts " + line,
                    "evaluate",
                    "--model",
                    model.toString(),
                    "--data",
                    samples,
                    "--prompts",
                    file("prompts.yaml", line));
        }
        assertThat(unclear).as("of " + tried).isEmpty();
    }

    @Test
    void aVoteWithoutItsCountsIsAVote() throws IOException {
        StringWriter err = new StringWriter();
        assertThat(Calm.execute(
                        new PrintWriter(new StringWriter()),
                        new PrintWriter(err),
                        "pairs",
                        "--samples",
                        file("samples.jsonl", SAMPLES),
                        "--votes",
                        file("votes.jsonl", "{\"id\":\"1\",\"answer\":\"A\"}"),
                        "--output",
                        folder.resolve("pairs.jsonl").toString()))
                .as(err.toString())
                .isZero();
        assertThat(folder.resolve("pairs.jsonl")).content().contains("Answer: A");
    }
}
