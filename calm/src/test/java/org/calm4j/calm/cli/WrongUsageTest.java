package org.calm4j.calm.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.calm4j.calm.experiment.ModelOnDisk;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Exit code 2: what was given is not what the command takes, in the words of who gave it. */
final class WrongUsageTest extends CommandLineFixture {
    @Test
    void wrongUsageIsTwoWithTheCommandThatHelps() {
        assertThat(calm()).isEqualTo(2);
        assertThat(calm("frobnicate")).isEqualTo(2);
        assertThat(calm("frobnicate", "--help")).isEqualTo(2);
        assertThat(calm("vote", "--samples", path("en.jsonl"), "--output", path("v"), "--tie", "coin"))
                .isEqualTo(2);
        assertThat(err.toString()).contains("abstain, skip, language-order, logprob");
        assertThat(calm("vote", "--samples", path("en.jsonl"))).isEqualTo(2);
        assertThat(err.toString()).contains("--output").contains("calm vote --help");
        assertThat(calm("run", "experiment.yaml", "--set", "foo")).isEqualTo(2);
        assertThat(err.toString()).contains("option '--set'", "foo").doesNotContain("option option");
        assertThat(calm("vote", "--sampels", path("en.jsonl"), "--output", path("v")))
                .isEqualTo(2);
        assertThat(err.toString()).contains("--sampels").doesNotContain("\tat ");
        assertThat(err.toString().lines()).hasSizeLessThanOrEqualTo(3);
        assertThat(out.toString()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "--batch-size=0",
                "--learning-rate=-1",
                "--learning-rate=nan",
                "--epochs=0",
                "--lora-rank=-1",
                "--warmup-ratio=2",
                "--adam-beta1=1",
                "--beta=0",
                "--label-smoothing=0.5",
                "--lr-scheduler=square",
                "--loss-type=quadratic",
                "--max-grad-norm=-1",
                "--loss-weights=1,2",
                "--device=gpu",
                "--threads=-1",
                "--threads=100000",
                "--max-steps=0",
                "--logging-steps=0",
                "--seed=x"
            })
    void valuesOutOfRangeAreWrongUsage(String option) throws IOException {
        ModelOnDisk.write(folder.resolve("model"));
        file("pairs.jsonl", "{\"prompt_input_ids\":[3],\"chosen_input_ids\":[4],\"rejected_input_ids\":[5]}");
        assertThat(calm("dpo", "--model", path("model"), "--data", path("pairs.jsonl"), "--output", path("o"), option))
                .isEqualTo(2);
        assertThat(err.toString()).contains(option.substring(2, option.indexOf('=')));
        assertThat(folder.resolve("o")).doesNotExist();
    }

    /** A scalar option that is given twice, also one of two that exclude each other. */
    @Test
    void theLastOneHolds() {
        assertThat(calm("generate", "--model", path("none"), "--prompt", "a", "--prompt", "b"))
                .isEqualTo(3);
        assertThat(err.toString()).contains(path("none"));
        assertThat(calm("generate", "--model", path("none"))).isEqualTo(2);
        assertThat(err.toString()).contains("--prompt", "--input");
        assertThat(calm("generate", "--model", path("none"), "--prompt", "a", "--top-p", "2", "--top-p", "3e"))
                .isEqualTo(2);
        assertThat(err.toString()).contains("'--top-p': '3e' is not a number");
        assertThat(calm("generate", "--model", path("none"), "--prompt", "a", "--top-p", "2", "--top-k", "1.5"))
                .isEqualTo(2);
        assertThat(err.toString()).contains("'--top-k': '1.5' is not a whole number");
        assertThat(calm("pretrain", "--model", "a", "--config", "b", "--data", "c", "--output", path("o")))
                .isEqualTo(2);
        assertThat(calm("sft", "--data", "c", "--output", path("o"))).isEqualTo(2);
        assertThat(err.toString()).contains("Missing required option: '--model=DIR'");
    }

    /** A file's settings are keys, those of the command flags. */
    @Test
    void settingsHaveTheNamesOfWhoGaveThem() throws IOException {
        file("run.yaml", "model: base", "questions: q.jsonl", "output: out", "dpo: {lora_rank: 4}");
        assertThat(calm("run", path("run.yaml"), "--set", "dpo.lora_rank=-1")).isEqualTo(2);
        assertThat(err.toString()).contains("--set: dpo.lora_rank must be at least 0");
        file("run.yaml", "model: base", "questions: q.jsonl", "output: out", "dpo: {lora_rank: -4}");
        assertThat(calm("run", path("run.yaml"))).isEqualTo(3);
        assertThat(err.toString()).contains("run.yaml: dpo.lora_rank must be at least 0");
        file(
                "run.yaml",
                "model: base",
                "questions: q.jsonl",
                "output: out",
                "arms: {mine: {vote: {minimum_agreement: 2}}}");
        assertThat(calm("run", path("run.yaml"))).isEqualTo(3);
        assertThat(err.toString()).contains("arm mine: vote.minimum_agreement must be from 0 to 1");
    }

    @Test
    void wrongUsageIsSaidWithoutTheParsersWords() {
        assertThat(calm("demo", "--seed", "1.5")).isEqualTo(2);
        assertThat(err.toString()).contains("'1.5' is not a whole number");
        assertThat(calm("dpo", "--batch-size", "many")).isEqualTo(2);
        assertThat(err.toString()).contains("'many' is not a whole number");
        assertThat(calm("dpo", "--beta", "much")).isEqualTo(2);
        assertThat(err.toString()).contains("'much' is not a number");
        assertThat(calm("demo", "now", "please")).isEqualTo(2);
        assertThat(err.toString()).contains("unexpected arguments 'now', 'please'");
    }

    /** A shell leaves a quoted ~ as it is. */
    @Test
    void pathsBeginAtHome() {
        String home = System.getenv().getOrDefault("HOME", System.getProperty("user.home"));
        var parsed = Calm.line(List.of("import"))
                .parseArgs("import", "a", "--output", "~/out", "--report=./~/x")
                .subcommand();
        assertThat(parsed.<Path>matchedOptionValue("--output", null)).isEqualTo(Path.of(home, "out"));
        assertThat(parsed.<Path>matchedOptionValue("--report", null)).isEqualTo(Path.of("./~/x"));
    }
}
