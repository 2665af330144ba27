package org.calm4j.calm.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Offset.offset;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.calm4j.calm.data.Vote;
import org.calm4j.calm.experiment.ModelOnDisk;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Jsonl;
import org.calm4j.kernels.driver.CudaProbe;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine.Model.CommandSpec;

/** What people and scripts meet: exit codes, messages, results. */
class CommandLineTest {
    @TempDir
    private Path folder;

    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    private int calm(String... arguments) {
        out.getBuffer().setLength(0);
        err.getBuffer().setLength(0);
        return Calm.execute(new PrintWriter(out), new PrintWriter(err), arguments);
    }

    private Path file(String name, String... lines) throws IOException {
        return Files.write(folder.resolve(name), List.of(lines));
    }

    private String path(String name) {
        return folder.resolve(name).toString();
    }

    @BeforeEach
    void samples() throws IOException {
        String choices = "\"choices\":[{\"label\":\"A\",\"text\":\"east\"},{\"label\":\"B\",\"text\":\"west\"}]";
        file(
                "en.jsonl",
                "{\"id\":1,\"language\":\"en\",\"question\":\"where?\"," + choices
                        + ",\"prompt\":\"Where? east, west\",\"responses\":[{\"text\":\"Answer: A\"},{\"text\":\"the west .\"},{\"text\":\"so A\",\"answer\":null}]}");
        file(
                "fr.jsonl",
                "{\"id\":\"1\",\"language\":\"fr\",\"question\":\"où ?\"," + choices
                        + ",\"responses\":[{\"text\":\"east\",\"answer\":\"A\"},{\"text\":\"Réponse : B\",\"answer\":\"A\"}]}");
    }

    static Stream<String> commands() {
        return Calm.line(List.of()).getSubcommands().keySet().stream();
    }

    @ParameterizedTest
    @MethodSource("commands")
    void everyCommandHelpsAndEndsWithAnExample(String command) {
        assertThat(calm(command, "--help")).isZero();
        assertThat(err.toString()).isEmpty();
        List<String> lines = out.toString().strip().lines().toList();
        assertThat(String.join("\n", lines))
                .contains("Usage: calm " + command, "--debug", "--quiet", "--json")
                .containsPattern("\nExample: .*calm " + command);
        assertThat(lines).allMatch(line -> line.length() <= 100);
        assertThat(lines)
                .as("names of files in two")
                .noneMatch(line -> line.matches(" *(jsonl?|yaml|bin|csv|index)\\b.*"));
        CommandSpec spec =
                Calm.line(List.of(command)).getSubcommands().get(command).getCommandSpec();
        // An example that is wrapped can't be copied.
        assertThat(lines).containsAll(List.of(spec.usageMessage().footer()));
        // The help wraps; breaks of our own would leave lines half empty.
        assertThat(spec.args())
                .allSatisfy(arg ->
                        assertThat(arg.description()).as(arg.paramLabel()).hasSize(1));
    }

    @ParameterizedTest
    @MethodSource("commands")
    void everyExampleIsACommandThatCanBeGiven(String command) {
        CommandSpec spec =
                Calm.line(List.of(command)).getSubcommands().get(command).getCommandSpec();
        String[] examples = String.join("\n", spec.usageMessage().footer())
                .replace("\\\n", "")
                .replaceAll("Example: mpirun -n \\d+ ", "Example: ")
                .split("Example: (?=calm )");
        for (String example : List.of(examples).subList(1, examples.length)) {
            String[] words = Pattern.compile("\"([^\"]*)\"|'([^']*)'|(\\S+)")
                    .matcher(example)
                    .results()
                    .map(word -> word.group().replaceAll("[\"']", ""))
                    .skip(1)
                    .toArray(String[]::new);
            assertThat(words[0]).isEqualTo(command);
            assertThat(Calm.line(List.of(words))
                            .setCaseInsensitiveEnumValuesAllowed(true)
                            .parseArgs(words)
                            .unmatched())
                    .isEmpty();
        }
    }

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

    /** Names and spellings of TRL's scripts; of an option given twice the last one holds. */
    @Test
    void trainingTakesTheNamesOfTrl() throws IOException {
        ModelOnDisk.write(folder.resolve("model"));
        file("pairs.jsonl", "{\"prompt_input_ids\":[3],\"chosen_input_ids\":[4],\"rejected_input_ids\":[5]}");
        String[] theirs = {
            "dpo",
            "--model_name_or_path",
            path("model"),
            "--data",
            path("pairs.jsonl"),
            "--output_dir",
            path("theirs"),
            "--per_device_train_batch_size",
            "1",
            "--gradient-accumulation-steps=2",
            "--num_train_epochs",
            "2",
            "--lr_scheduler_type=cosine",
            "--warmup_ratio",
            "0.1",
            "--lora_r",
            "2",
            "--lora_target_modules",
            "q_proj",
            "v_proj",
            "--loss_type",
            "sigmoid",
            "sft",
            "--loss_weights",
            "1",
            "0.5",
            "--beta",
            "0.3",
            "--beta",
            "0.2"
        };
        assertThat(calm(theirs)).as(err.toString()).isZero();
        JsonNode inForce = Json.read(folder.resolve("theirs/train_config.json"), JsonNode.class);
        assertThat(inForce.path("batch_size").asInt()).isEqualTo(2);
        assertThat(inForce.path("micro_batch_size").asInt()).isEqualTo(1);
        assertThat(inForce.path("epochs").asDouble()).isEqualTo(2);
        assertThat(inForce.path("lr_scheduler").asText()).isEqualTo("cosine");
        assertThat(inForce.path("lora_rank").asInt()).isEqualTo(2);
        assertThat(inForce.path("lora_targets")).extracting(JsonNode::asText).containsExactly("q_proj", "v_proj");
        assertThat(inForce.path("loss_type")).extracting(JsonNode::asText).containsExactly("sigmoid", "sft");
        assertThat(inForce.path("loss_weights")).extracting(JsonNode::asDouble).containsExactly(1.0, 0.5);
        assertThat(inForce.path("beta").asDouble()).isEqualTo(0.2);
        assertThat(inForce.has("lora_r") || inForce.has("gradient_accumulation_steps"))
                .isFalse();
        assertThat(calm(
                        "dpo",
                        "--model",
                        path("model"),
                        "--data",
                        path("pairs.jsonl"),
                        "--output",
                        path("o"),
                        "--lora_r=-1"))
                .isEqualTo(2);
        assertThat(err.toString()).contains("--lora-rank must be at least 0");
        assertThat(calm(
                        "dpo",
                        "--model",
                        path("model"),
                        "--data",
                        path("pairs.jsonl"),
                        "--output",
                        path("o"),
                        "--bf16"))
                .isEqualTo(2);
        assertThat(err.toString()).contains("--precision bf16 needs a GPU");
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
    void badInputIsThreeAndSaysWhere() throws IOException {
        assertThat(calm("vote", "--samples", path("missing.jsonl"), "--output", path("v")))
                .isEqualTo(3);
        assertThat(err.toString()).contains("missing.jsonl: no such file");
        file("broken.jsonl", "", "{\"id\":");
        assertThat(calm("vote", "--samples", path("broken.jsonl"), "--output", path("v")))
                .isEqualTo(3);
        assertThat(err.toString()).contains("broken.jsonl:2");
        file(
                "label.jsonl",
                "{\"id\":1,\"language\":\"en\",\"question\":\"?\",\"choices\":[{\"label\":\"A\",\"text\":\"x\"},{\"label\":\"B\",\"text\":\"y\"}],"
                        + "\"responses\":[{\"text\":\"?\",\"answer\":\"Z\"}]}");
        assertThat(calm("vote", "--samples", path("label.jsonl"), "--output", path("v")))
                .isEqualTo(3);
        assertThat(err.toString()).contains("label.jsonl:1").contains("Z");
        assertThat(folder.resolve("v")).doesNotExist();
        assertThat(calm("score", "--model", path("none"), "--input", path("en.jsonl"), "--output", path("s")))
                .isEqualTo(3);
        assertThat(err.toString()).contains("no such model folder");
    }

    @Test
    void aLackOfThreadsIsNoLackOfHeap() {
        Failures failures = new Failures();
        String threads = "unable to create native thread: possibly out of memory or process/resource limits reached";
        assertThat(failures.outOfMemory(new PrintWriter(err, true), new OutOfMemoryError(threads)))
                .isEqualTo(1);
        assertThat(err.toString()).contains("--threads").doesNotContain("Xmx");
        assertThat(failures.outOfMemory(new PrintWriter(err, true), new OutOfMemoryError("Java heap space")))
                .isEqualTo(1);
        assertThat(err.toString()).contains("Xmx");
    }

    @Test
    void anInputIsNeverOverwritten() throws IOException {
        ModelOnDisk.write(folder.resolve("model"));
        String samples = Files.readString(folder.resolve("en.jsonl"));
        Files.createSymbolicLink(folder.resolve("link"), folder.resolve("en.jsonl"));
        String same = path("../" + folder.getFileName() + "/en.jsonl");
        assertThat(calm("vote", "--samples", path("fr.jsonl"), path("en.jsonl"), "--output", same))
                .isEqualTo(2);
        assertThat(err.toString().lines())
                .hasSize(1)
                .first()
                .asString()
                .contains("en.jsonl is an input and would be overwritten");
        assertThat(calm("vote", "--samples", path("link"), "--output", path("v"), "--summary", path("en.jsonl")))
                .isEqualTo(2);
        assertThat(calm(
                        "pairs",
                        "--samples",
                        path("en.jsonl"),
                        "--votes",
                        path("fr.jsonl"),
                        "--output",
                        path("fr.jsonl")))
                .isEqualTo(2);
        assertThat(calm("import", path("en.jsonl"), "--language", "en", "--output", path("link")))
                .isEqualTo(2);
        assertThat(calm("score", "--model", path("model"), "--input", path("en.jsonl"), "--output", path("en.jsonl")))
                .isEqualTo(2);
        assertThat(calm(
                        "generate",
                        "--model",
                        path("model"),
                        "--input",
                        path("en.jsonl"),
                        "--output",
                        path("en.jsonl")))
                .isEqualTo(2);
        assertThat(calm("sample", "--model", path("model"), "--data", path("en.jsonl"), "--output", path("en.jsonl")))
                .isEqualTo(2);
        assertThat(calm(
                        "tokenize",
                        "--model",
                        path("model"),
                        "--input",
                        path("en.jsonl"),
                        "--output",
                        path("en.jsonl")))
                .isEqualTo(2);
        assertThat(folder.resolve("en.jsonl")).hasContent(samples);
        assertThat(calm("vote", "--samples", path("en.jsonl"), "--output", path("v"), "--summary", path("./v")))
                .isEqualTo(2);
        assertThat(err.toString()).contains("would be written twice");
        file("documents.jsonl", "{\"input_ids\":[3,4]}");
        assertThat(calm("sft", "--model", path("model"), "--data", path("documents.jsonl"), "--output", path("model")))
                .isEqualTo(2);
        // A folder's files, too: what is compared with would be gone.
        file("p.jsonl", "{\"id\":1,\"language\":\"en\",\"answer\":\"A\",\"prediction\":\"A\"}");
        file("predictions.jsonl", "{\"id\":1,\"language\":\"en\",\"answer\":\"A\",\"prediction\":\"B\"}");
        assertThat(calm(
                        "evaluate",
                        "--predictions",
                        path("p.jsonl"),
                        "--against",
                        path("predictions.jsonl"),
                        "--output",
                        folder.toString()))
                .isEqualTo(2);
        assertThat(folder.resolve("predictions.jsonl")).content().contains("\"B\"");
    }

    @Test
    void withoutANumberAsManyNewTokensAsFit() throws IOException {
        // It has 64 positions.
        ModelOnDisk.write(folder.resolve("model"));
        file("in.jsonl", "{\"id\":1,\"input_ids\":[3,4]}");
        assertThat(calm("generate", "--model", path("model"), "--input", path("in.jsonl"), "--ignore-eos"))
                .isZero();
        assertThat(Json.mapper().readTree(out.toString()).at("/completions/0/output_ids"))
                .hasSize(62);
        assertThat(err.toString()).contains("62 new tokens at most");
        assertThat(calm("generate", "--model", path("model"), "--input", path("in.jsonl"), "--max-new-tokens", "63"))
                .isEqualTo(3);
        assertThat(err.toString()).contains("--max-new-tokens 62 at most");
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

    @Test
    void flagsMayStandBeforeWhatToInspect() throws IOException {
        ModelOnDisk.write(folder.resolve("model"));
        assertThat(calm("inspect", "--quiet", "--json", "model", "--model", path("model")))
                .isZero();
        assertThat(err.toString()).isEmpty();
        assertThat(Json.mapper().readTree(out.toString()).isObject()).isTrue();
        assertThat(calm("inspect", "--debug", "model", "--model", path("none"))).isEqualTo(3);
        assertThat(err.toString()).contains("CalmException").contains("\tat ");
    }

    @Test
    void vectorsSteerAGeneration() throws IOException {
        ModelOnDisk.write(folder.resolve("model"));
        file(
                "texts.jsonl",
                "{\"id\":1,\"language\":\"en\",\"input_ids\":[3,4]}",
                "{\"id\":2,\"language\":\"ja\",\"input_ids\":[5,6]}");
        List<String> steer = List.of("inspect", "steer", "--model", path("model"), "--input", path("texts.jsonl"));
        assertThat(calm(with(
                        steer, "--at", "blocks.0.hook_resid_pre", "--from", "ja", "--to", "en", "--output", path("v"))))
                .isZero();
        assertThat(out.toString()).contains("blocks.0.hook_resid_pre, norm ");
        file("in.jsonl", "{\"id\":1,\"input_ids\":[3,4]}");
        List<String> generate = List.of("generate", "--model", path("model"), "--input", path("in.jsonl"));
        calm(with(generate, "--temperature", "0", "--max-new-tokens", "4"));
        String plain = out.toString();
        assertThat(calm(with(generate, "--temperature", "0", "--max-new-tokens", "4", "--steer", path("v"))))
                .isZero();
        assertThat(out.toString()).contains("logprobs").isNotEqualTo(plain);
        calm(with(generate, "--temperature", "0", "--max-new-tokens", "4", "--steer", path("v"), "--steer-scale", "0"));
        assertThat(out.toString()).isEqualTo(plain);
        assertThat(calm(with(generate, "--steer", path("in.jsonl")))).isEqualTo(3);
    }

    @Test
    void patchingSaysHowFarAttributionFollows() throws IOException {
        ModelOnDisk.write(folder.resolve("model"));
        file("p.jsonl", "{\"id\":1,\"clean_input_ids\":[3,4],\"corrupted_input_ids\":[5,4],\"answer\":3,\"wrong\":4}");
        List<String> patch =
                List.of("inspect", "patch", "--model", path("model"), "--input", path("p.jsonl"), "--at", "resid_pre");
        assertThat(calm(with(patch, "--method", "exact,attribution", "--output", path("effects"))))
                .isZero();
        assertThat(out.toString()).contains("Correlation of attribution with exact patching: ");
        assertThat(calm(with(patch, "--output", path("effects")))).isZero();
        assertThat(out.toString()).doesNotContain("orrelation");
    }

    @Test
    void neuronsAreToldWithWhatSilencingThemDoes() throws IOException {
        ModelOnDisk.write(folder.resolve("model"));
        file(
                "texts.jsonl",
                "{\"language\":\"en\",\"input_ids\":[3,4,5]}",
                "{\"language\":\"ja\",\"input_ids\":[5,6,4]}");
        List<String> neurons = List.of(
                "inspect", "neurons", "--model", path("model"), "--input", path("texts.jsonl"), "--output", path("n"));
        assertThat(calm(with(neurons, "--top-rate", "0.5"))).isZero();
        assertThat(out.toString()).contains("specific to languages", "own excess", "  random ");
        assertThat(calm(with(neurons, "--top-rate", "2"))).isEqualTo(2);
        assertThat(err.toString()).contains("--top-rate must be above 0 and at most 1");
    }

    @Test
    void aLensIsTunedAndLookedThrough() throws IOException {
        ModelOnDisk.write(folder.resolve("model"));
        file("texts.jsonl", "{\"id\":1,\"input_ids\":[3,4,5],\"completion_start\":1}");
        String[] tune = {"inspect", "tune-lens", "--model", path("model"), "--data", path("texts.jsonl")};
        assertThat(calm(with(List.of(tune), "--max-steps", "2", "--output", path("lens"))))
                .isZero();
        assertThat(out.toString()).contains("layer  logit lens  tuned lens");
        assertThat(calm(with(List.of(tune), "--batch-size", "0", "--output", path("other"))))
                .isEqualTo(2);
        List<String> lens = List.of(
                "inspect", "lens", "--model", path("model"), "--input", path("texts.jsonl"), "--output", path("l"));
        assertThat(calm(with(lens, "--tuned", path("lens")))).isZero();
        assertThat(calm(with(lens, "--tuned", path("model")))).isEqualTo(3);
        assertThat(err.toString()).contains("lens_type is null and not linear_tuned_lens");
    }

    @Test
    void aStepIsOfARunOrOfSettings() throws IOException {
        ModelOnDisk.write(folder.resolve("model"));
        file(
                "pairs.jsonl",
                "{\"language\":\"en\",\"prompt_input_ids\":[3],\"chosen_input_ids\":[4,5],\"rejected_input_ids\":[6]}",
                "{\"language\":\"ja\",\"prompt_input_ids\":[5],\"chosen_input_ids\":[3],\"rejected_input_ids\":[4]}");
        file("asked.jsonl", "{\"id\":\"q\",\"input_ids\":[3,4],\"completion_start\":1}");
        List<String> step = List.of("inspect", "step", "--output", path("step.jsonl"));
        assertThat(calm(with(step))).isEqualTo(2);
        assertThat(err.toString()).contains("the folder of a finished run, or --model and --data");
        assertThat(calm(with(step, path("run"), "--beta", "0.2"))).isEqualTo(2);
        assertThat(err.toString()).contains("--beta is a setting of the run");
        String[] settings = {"--model", path("model"), "--data", path("pairs.jsonl"), "--questions", path("asked.jsonl")
        };
        assertThat(calm(with(step, settings))).isZero();
        assertThat(out.toString()).contains("Cosines of the languages' gradients", "q: raised most by line ");
        assertThat(Jsonl.read(folder.resolve("step.jsonl"), JsonNode.class))
                .filteredOn(line -> line.path("kind").asText().equals("influence"))
                .hasSize(2);
    }

    private static String[] with(List<String> some, String... more) {
        return Stream.concat(some.stream(), Stream.of(more)).toArray(String[]::new);
    }

    @Test
    void anEmptyFileIsBadInput() throws IOException {
        ModelOnDisk.write(folder.resolve("model"));
        file("empty.jsonl");
        file("kept", "kept");
        for (String command : List.of("score", "generate")) {
            assertThat(calm(
                            command,
                            "--model",
                            path("model"),
                            "--input",
                            path("empty.jsonl"),
                            "--output",
                            path("kept")))
                    .isEqualTo(3);
            assertThat(err.toString()).contains("empty.jsonl: has no lines");
        }
        assertThat(calm("sample", "--model", path("model"), "--data", path("empty.jsonl"), "--output", path("kept")))
                .isEqualTo(3);
        assertThat(calm("vote", "--extract-only", "--samples", path("empty.jsonl"), "--output", path("kept")))
                .isEqualTo(3);
        assertThat(calm(
                        "pairs",
                        "--samples",
                        path("empty.jsonl"),
                        "--votes",
                        path("empty.jsonl"),
                        "--output",
                        path("kept")))
                .isEqualTo(3);
        assertThat(calm("evaluate", "--predictions", path("empty.jsonl"), "--output", path("eval")))
                .isEqualTo(3);
        assertThat(folder.resolve("kept")).hasContent("kept");
        assertThat(folder.resolve("eval")).doesNotExist();
    }

    @Test
    void aPlaceThatCannotBeWrittenToIsBadInput() throws IOException {
        file("plain", "a file");
        assertThat(calm("vote", "--samples", path("en.jsonl"), "--output", path("plain/votes.jsonl")))
                .isEqualTo(3);
        assertThat(err.toString().lines()).hasSizeLessThanOrEqualTo(3);
        assertThat(err.toString()).contains("plain");
    }

    @Test
    void resultsThatCannotBeWrittenAreAFailure() {
        PrintStream before = System.out;
        try {
            assertThat(Calm.run(failing("No space left on device"), new PrintWriter(err, true), "completion"))
                    .isEqualTo(1);
            assertThat(err.toString().lines())
                    .hasSize(1)
                    .first()
                    .asString()
                    .contains("standard output", "No space left");
            // Its reader went away: what it wanted it has.
            err.getBuffer().setLength(0);
            assertThat(Calm.run(failing("Broken pipe"), new PrintWriter(err, true), "completion"))
                    .isZero();
            assertThat(err.toString()).isEmpty();
        } finally {
            System.setOut(before);
        }
    }

    private static OutputStream failing(String why) {
        return new OutputStream() {
            @Override
            public void write(int b) throws IOException {
                throw new IOException(why);
            }
        };
    }

    @Test
    void aStackTraceOnlyWithDebug() {
        assertThat(calm("vote", "--samples", path("missing.jsonl"), "--output", path("v")))
                .isEqualTo(3);
        assertThat(err.toString()).doesNotContain("\tat ");
        assertThat(calm("vote", "--debug", "--samples", path("missing.jsonl"), "--output", path("v")))
                .isEqualTo(3);
        assertThat(err.toString()).contains("\tat ");
    }

    @Test
    void aDeviceThatIsNotThereIsAnErrorAndNoOtherDevice() throws IOException {
        ModelOnDisk.write(folder.resolve("model"));
        file("in.jsonl", "{\"id\":1,\"input_ids\":[3,4],\"completion_start\":1}");
        int code = calm(
                "score",
                "--model",
                path("model"),
                "--input",
                path("in.jsonl"),
                "--output",
                path("s"),
                "--device",
                "cuda:97");
        assertThat(code).isEqualTo(1);
        assertThat(err.toString()).contains("--device cpu");
        assertThat(folder.resolve("s")).doesNotExist();
    }

    @Test
    void withoutADriverOneLineSaysWhatIsMissing() throws IOException {
        assumeFalse(CudaProbe.run().usable(), "this machine has a GPU");
        ModelOnDisk.write(folder.resolve("model"));
        file("in.jsonl", "{\"id\":1,\"input_ids\":[3,4],\"completion_start\":1}");
        int code = calm(
                "score",
                "--model",
                path("model"),
                "--input",
                path("in.jsonl"),
                "--output",
                path("s"),
                "--device",
                "cuda");
        assertThat(code).isEqualTo(1);
        assertThat(err.toString().lines())
                .hasSize(1)
                .first()
                .asString()
                .contains("--device cuda:", "--device cpu runs without");
    }

    @Test
    void votesOfAllLanguagesArePooled() {
        assertThat(calm(
                        "vote",
                        "--samples",
                        path("en.jsonl"),
                        path("fr.jsonl"),
                        "--output",
                        path("votes.jsonl"),
                        "--json"))
                .isZero();
        Vote vote = Jsonl.read(folder.resolve("votes.jsonl"), Vote.class).getFirst();
        // "so A" has no answer because its file says so; the absent ones are extracted.
        assertThat(vote.votes()).containsOnly(Map.entry("A", 3), Map.entry("B", 1));
        assertThat(vote.answer()).isEqualTo("A");
        assertThat(out.toString()).startsWith("{").contains("\"winners\":1");
    }

    @Test
    void extractOnlyFillsInEveryAnswer() {
        assertThat(calm("vote", "--extract-only", "--samples", path("fr.jsonl"), "--output", path("x.jsonl")))
                .isZero();
        JsonNode line = Jsonl.read(folder.resolve("x.jsonl"), JsonNode.class).getFirst();
        assertThat(line.path("responses").findValuesAsText("answer")).containsExactly("A", "B");
        assertThat(out.toString()).contains("2 responses, 2 with an answer");
    }

    @Test
    void explainsWhatDecided() throws IOException {
        assertThat(calm(
                        "vote",
                        "--extract-only",
                        "--explain",
                        "--samples",
                        path("fr.jsonl"),
                        "--output",
                        path("x.jsonl")))
                .isZero();
        assertThat(out.toString())
                .contains("1 fr #0: A by option text \"east\"", "1 fr #1: B by statement \"Réponse : B\"");
        assertThat(calm(
                        "vote",
                        "--extract-only",
                        "--explain",
                        "--json",
                        "--samples",
                        path("fr.jsonl"),
                        "--output",
                        path("x.jsonl")))
                .isZero();
        assertThat(Json.mapper()
                        .readTree(out.toString())
                        .at("/explained/1/extraction/from")
                        .asInt())
                .isZero();
        assertThat(calm("vote", "--explain", "--samples", path("fr.jsonl"), "--output", path("x.jsonl")))
                .isEqualTo(2);
    }

    @Test
    void pairsKeepThePromptThatWasSampled() {
        calm("vote", "--samples", path("en.jsonl"), "--output", path("votes.jsonl"));
        assertThat(calm(
                        "pairs",
                        "--samples",
                        path("en.jsonl"),
                        "--votes",
                        path("votes.jsonl"),
                        "--output",
                        path("pairs.jsonl")))
                .isZero();
        // A tie of one to one: nothing to learn from.
        assertThat(folder.resolve("pairs.jsonl")).isEmptyFile();
        calm("vote", "--samples", path("en.jsonl"), path("fr.jsonl"), "--output", path("votes.jsonl"));
        assertThat(calm(
                        "pairs",
                        "--samples",
                        path("en.jsonl"),
                        "--votes",
                        path("votes.jsonl"),
                        "--output",
                        path("pairs.jsonl")))
                .isZero();
        JsonNode pair =
                Jsonl.read(folder.resolve("pairs.jsonl"), JsonNode.class).getFirst();
        assertThat(pair.path("prompt").asText()).isEqualTo("Where? east, west");
        assertThat(pair.path("chosen").asText()).isEqualTo("Answer: A");
        assertThat(pair.path("rejected").asText()).isEqualTo("the west .");
    }

    @Test
    void aVoteTellsHowGoodItIsAndPairsTranslate() throws IOException {
        String choices =
                "\"choices\":[{\"label\":\"A\",\"text\":\"east\"},{\"label\":\"B\",\"text\":\"west\"}],\"answer\":\"A\"";
        file(
                "s.jsonl",
                "{\"id\":1,\"language\":\"en\",\"question\":\"where?\"," + choices
                        + ",\"responses\":[{\"text\":\"The answer is A\"},{\"text\":\"The answer is A\"}]}",
                "{\"id\":1,\"language\":\"fr\",\"question\":\"où ?\"," + choices
                        + ",\"responses\":[{\"text\":\"La réponse est B\"}]}");
        assertThat(calm(
                        "vote",
                        "--samples",
                        path("s.jsonl"),
                        "--output",
                        path("votes.jsonl"),
                        "--weighting",
                        "dawid-skene",
                        "--summary",
                        path("summary.json")))
                .isZero();
        assertThat(out.toString())
                .contains("1 questions: 1 with a winner")
                .contains("alone en 100.0, fr 0.0")
                .contains("Dawid-Skene");
        assertThat(Json.read(folder.resolve("summary.json"), JsonNode.class)
                        .path("majority")
                        .path("by_languages"))
                .hasSize(2);
        assertThat(calm("vote", "--samples", path("s.jsonl"), "--output", path("votes.jsonl"), "--tie", "coin"))
                .isEqualTo(2);
        assertThat(calm("vote", "--samples", path("s.jsonl"), "--output", path("votes.jsonl"), "--languages", "de"))
                .isEqualTo(2);
        assertThat(err.toString()).contains("de").contains("[en, fr]");

        file(
                "t.jsonl",
                "{\"source\":\"en\",\"target\":\"fr\",\"text\":\"The answer is A\",\"translation\":\"La réponse est A\"}");
        String[] pairs = {
            "pairs",
            "--samples",
            path("s.jsonl"),
            "--votes",
            path("votes.jsonl"),
            "--output",
            path("pairs.jsonl"),
            "--translator",
            "file"
        };
        assertThat(calm(pairs)).isEqualTo(2);
        assertThat(err.toString()).contains("--translations");
        String[] translated = Stream.concat(
                        Stream.of(pairs), Stream.of("--translations", path("t.jsonl"), "--json", "--margin-weights"))
                .toArray(String[]::new);
        assertThat(calm(translated)).isZero();
        JsonNode counts = Json.mapper().readTree(out.toString());
        assertThat(counts.path("sources").toString()).isEqualTo("{\"translated\":1}");
        assertThat(counts.path("languages").path("en").path("skipped").toString())
                .isEqualTo("{\"all agree\":1}");
        JsonNode pair =
                Jsonl.read(folder.resolve("pairs.jsonl"), JsonNode.class).getFirst();
        assertThat(pair.path("chosen").asText()).isEqualTo("La réponse est A");
        assertThat(pair.path("weight").asDouble()).isPositive();
    }

    @Test
    void predictionsAreEvaluated() throws IOException {
        file(
                "p.jsonl",
                "{\"id\":1,\"language\":\"en\",\"answer\":\"A\",\"prediction\":\"A\"}",
                "{\"id\":1,\"language\":\"fr\",\"answer\":\"A\",\"prediction\":null}",
                "{\"id\":2,\"language\":\"en\",\"answer\":\"B\",\"prediction\":\"B\"}",
                "{\"id\":2,\"language\":\"fr\",\"answer\":\"B\",\"prediction\":\"B\"}");
        assertThat(calm("evaluate", "--predictions", path("p.jsonl"), "--output", path("eval"), "--json"))
                .isZero();
        JsonNode evaluation = Json.read(folder.resolve("eval/eval.json"), JsonNode.class);
        assertThat(evaluation.path("accuracy_mean").asDouble()).isEqualTo(0.75);
        assertThat(evaluation.path("consistency").asDouble()).isEqualTo(0.5);
        assertThat(Jsonl.readMaps(folder.resolve("eval/predictions.jsonl"))).hasSize(4);
        assertThat(calm("evaluate", "--output", path("eval"))).isEqualTo(2);
        // Against another run: what changed, by question.
        file(
                "q.jsonl",
                "{\"id\":1,\"language\":\"en\",\"answer\":\"A\",\"prediction\":\"B\"}",
                "{\"id\":1,\"language\":\"fr\",\"answer\":\"A\",\"prediction\":null}",
                "{\"id\":2,\"language\":\"en\",\"answer\":\"B\",\"prediction\":\"B\"}",
                "{\"id\":2,\"language\":\"fr\",\"answer\":\"B\",\"prediction\":\"A\"}");
        assertThat(calm(
                        "evaluate",
                        "--predictions",
                        path("p.jsonl"),
                        "--against",
                        path("q.jsonl"),
                        "--output",
                        path("eval"),
                        "--json"))
                .isZero();
        JsonNode against = Json.mapper().readTree(out.toString()).path("against");
        assertThat(against.path("accuracy_mean").path("difference").asDouble()).isEqualTo(0.5);
        assertThat(against.path("accuracy_mean").path("interval")).hasSize(2);
        assertThat(against.path("flips").path("en").path("gained").asInt()).isEqualTo(1);
        assertThat(against.path("flips").path("en").path("p_value").asDouble()).isEqualTo(1);
        assertThat(Json.read(folder.resolve("eval/comparison.json"), JsonNode.class))
                .isEqualTo(against);
        file("other.jsonl", "{\"id\":1,\"language\":\"en\",\"answer\":\"A\",\"prediction\":\"B\"}");
        assertThat(calm(
                        "evaluate",
                        "--predictions",
                        path("p.jsonl"),
                        "--against",
                        path("other.jsonl"),
                        "--output",
                        path("eval")))
                .isEqualTo(3);
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

    @Test
    void aFileWithoutPredictionsIsNotOneOfWrongAnswers() throws IOException {
        file("questions.jsonl", "{\"id\":1,\"language\":\"en\",\"question\":\"Q\",\"choices\":[],\"answer\":\"A\"}");
        assertThat(calm("evaluate", "--predictions", path("questions.jsonl"), "--output", path("eval")))
                .isEqualTo(3);
        assertThat(err.toString()).contains("questions.jsonl:1: prediction is missing");
        assertThat(folder.resolve("eval")).doesNotExist();
    }

    @Test
    void aModelScoresContinuesAndLearnsByTokenIds() throws IOException {
        ModelOnDisk.write(folder.resolve("model"));
        file("in.jsonl", "{\"id\":\"x\",\"input_ids\":[3,4,5,6],\"completion_start\":2}");
        assertThat(calm("score", "--model", path("model"), "--input", path("in.jsonl"), "--output", path("s.jsonl")))
                .isZero();
        assertThat(err.toString()).contains("cpu").contains("thread").contains("JDK");
        JsonNode score = Jsonl.read(folder.resolve("s.jsonl"), JsonNode.class).getFirst();
        assertThat(score.path("logprobs")).hasSize(2).allMatch(value -> value.asDouble() < 0);

        assertThat(calm(
                        "generate",
                        "--quiet",
                        "--model",
                        path("model"),
                        "--input",
                        path("in.jsonl"),
                        "--max-new-tokens",
                        "3",
                        "--ignore-eos",
                        "--num-return-sequences",
                        "2"))
                .isZero();
        assertThat(err.toString()).isEmpty();
        JsonNode generated = Json.mapper().readTree(out.toString());
        assertThat(generated.path("id").asText()).isEqualTo("x");
        assertThat(generated.path("completions")).hasSize(2);
        assertThat(generated.path("completions").get(0).path("output_ids")).hasSize(3);
        assertThat(generated.path("completions").get(0).path("finish_reason").asText())
                .isEqualTo("length");

        file("pairs.jsonl", "{\"prompt_input_ids\":[3],\"chosen_input_ids\":[4,5],\"rejected_input_ids\":[5]}");
        assertThat(calm(
                        "dpo",
                        "--model",
                        path("model"),
                        "--data",
                        path("pairs.jsonl"),
                        "--output",
                        path("o"),
                        "--max-steps",
                        "2",
                        "--json"))
                .isZero();
        JsonNode first =
                Jsonl.read(folder.resolve("o/metrics.jsonl"), JsonNode.class).getFirst();
        assertThat(first.path("loss").asDouble()).isCloseTo(Math.log(2), offset(1e-6));
        assertThat(folder.resolve("o/model.safetensors")).exists();
    }

    @Test
    void metricsHaveEveryLossOfHeldLines() throws IOException {
        ModelOnDisk.write(folder.resolve("model"));
        file("documents.jsonl", "{\"input_ids\":[3,4]}");
        assertThat(calm(
                        "sft",
                        "--model",
                        path("model"),
                        "--data",
                        path("documents.jsonl"),
                        "--output",
                        path("o"),
                        "--max-steps",
                        "5",
                        "--logging-steps",
                        "5",
                        "--eval-steps",
                        "2",
                        "--eval-data",
                        path("documents.jsonl")))
                .isZero();
        List<JsonNode> log = Jsonl.read(folder.resolve("o/metrics.jsonl"), JsonNode.class);
        assertThat(log).extracting(line -> line.path("step").asInt()).containsExactly(2, 4, 5);
        assertThat(log).filteredOn(line -> line.has("eval_loss")).hasSize(2);
        file("long.jsonl", "{\"input_ids\":[3,4]}", "{\"input_ids\":" + Collections.nCopies(65, 3) + "}");
        assertThat(calm("sft", "--model", path("model"), "--data", path("long.jsonl"), "--output", path("long")))
                .isEqualTo(3);
        assertThat(err.toString()).contains("long.jsonl:2: has 65 tokens");
        assertThat(folder.resolve("long")).doesNotExist();
    }

    @Test
    void aModelLearnsConsistencyOfTwoLanguagesAndGoesOn() throws IOException {
        ModelOnDisk.write(folder.resolve("model"));
        String one = "\"prompt_1_input_ids\":[3],\"chosen_1_input_ids\":[4,5],\"rejected_1_input_ids\":[5]";
        String two = "\"prompt_2_input_ids\":[6,7],\"chosen_2_input_ids\":[8],\"rejected_2_input_ids\":[9,4]";
        file("pairs.jsonl", "{" + one + "," + two + "}", "{" + one + "," + two + ",\"weight\":0.5}");
        List<String> arguments = List.of(
                "dpo",
                "--loss-type",
                "dco,sft",
                "--loss-weights",
                "1,0.1",
                "--model",
                path("model"),
                "--data",
                path("pairs.jsonl"),
                "--max-steps",
                "4",
                "--batch-size",
                "1",
                "--save-steps",
                "2",
                "--eval-steps",
                "2",
                "--eval-data",
                path("pairs.jsonl"),
                "--learning-rate",
                "1e-3");
        assertThat(calm(Stream.concat(arguments.stream(), Stream.of("--output", path("o")))
                        .toArray(String[]::new)))
                .isZero();
        List<JsonNode> log = Jsonl.read(folder.resolve("o/metrics.jsonl"), JsonNode.class);
        assertThat(log).hasSize(4).allMatch(step -> step.has("consistency") && step.has("rewards/margins"));
        assertThat(log.getLast().path("eval_loss").asDouble()).isPositive();
        JsonNode inForce = Json.read(folder.resolve("o/train_config.json"), JsonNode.class);
        assertThat(inForce.path("beta").asDouble()).isEqualTo(1);
        assertThat(List.of(
                        inForce.path("save_steps").asInt(),
                        inForce.path("warmup_steps").asInt(),
                        inForce.path("logging_steps").asInt()))
                .isEqualTo(List.of(2, 0, 1));
        assertThat(inForce.path("eval_data").asText()).isEqualTo(path("pairs.jsonl"));
        assertThat(inForce).noneMatch(JsonNode::isNull);
        // Stopped behind the first checkpoint, and gone on from there.
        byte[] whole = Files.readAllBytes(folder.resolve("o/model.safetensors"));
        try (Stream<Path> last = Files.walk(folder.resolve("o/checkpoint-4"))) {
            last.sorted(Comparator.reverseOrder()).forEach(each -> each.toFile().delete());
        }
        Files.delete(folder.resolve("o/model.safetensors"));
        assertThat(calm(Stream.concat(arguments.stream(), Stream.of("--output", path("o"), "--resume"))
                        .toArray(String[]::new)))
                .isZero();
        assertThat(Files.readAllBytes(folder.resolve("o/model.safetensors"))).isEqualTo(whole);

        file("one.jsonl", "{" + one + "}");
        assertThat(calm(
                        "dpo",
                        "--loss-type",
                        "dco",
                        "--model",
                        path("model"),
                        "--data",
                        path("one.jsonl"),
                        "--output",
                        path("p")))
                .isEqualTo(3);
        assertThat(err.toString()).contains("one.jsonl:1").contains("prompt_2 is missing");
    }

    @Test
    void theCompletionScriptKnowsTheCommands() {
        assertThat(calm("completion")).isZero();
        assertThat(out.toString()).contains("complete").contains("--lora-rank");
    }

    @Test
    void theDoctorTellsWhatIsHere() throws IOException {
        assertThat(calm("doctor", "--json")).isZero();
        JsonNode found = Json.mapper().readTree(out.toString());
        assertThat(found.path("processors").asInt()).isPositive();
        assertThat(found.path("cpu").asText()).contains("thread");
        assertThat(found.path("cuda").path("missing").isEmpty())
                .isEqualTo(!found.path("cuda").path("devices").isEmpty()
                        && found.path("cuda").path("cublas").isTextual());
    }

    /** From texts to a model that knows their words: tokenizer, then pretrain in its folder. */
    @Test
    void aTokenizerFromTexts() throws IOException {
        file(
                "corpus.jsonl",
                "{\"text\":\"east or west\"}",
                "{\"prompt\":\"east\",\"completion\":\"west\"}",
                "{\"segments\":[{\"text\":\"north\",\"loss\":true}]}",
                "{\"messages\":[{\"role\":\"user\",\"content\":\"south\"}]}");
        file("more.txt", "east or west", "", "home is best");
        assertThat(calm(
                        "tokenizer",
                        "--data",
                        path("corpus.jsonl"),
                        path("more.txt"),
                        "--type",
                        "word-level",
                        "--output",
                        path("words"),
                        "--json"))
                .as(err.toString())
                .isZero();
        assertThat(Json.mapper().readTree(out.toString()).path("vocab_size").asInt())
                .isEqualTo(2 + 8);
        assertThat(calm(
                        "tokenizer",
                        "--data",
                        path("corpus.jsonl"),
                        "--vocab-size",
                        "260",
                        "--output",
                        path("pieces"),
                        "--json"))
                .isZero();
        assertThat(Json.mapper().readTree(out.toString()).path("vocab_size").asInt())
                .isEqualTo(260);
        file("t.jsonl", "{\"id\":1,\"text\":\"east west\"}");
        assertThat(calm(
                        "tokenize",
                        "--model",
                        path("pieces"),
                        "--input",
                        path("t.jsonl"),
                        "--output",
                        path("ids.jsonl")))
                .isZero();
        assertThat(Files.readString(folder.resolve("ids.jsonl"))).contains("\"decoded\":\"east west\"");
        assertThat(calm("tokenizer", "--data", path("corpus.jsonl"), "--output", path("words")))
                .isEqualTo(3);
        assertThat(err.toString()).contains("exists already");
        file("none.jsonl", "{\"id\":1}");
        assertThat(calm("tokenizer", "--data", path("none.jsonl"), "--output", path("new")))
                .isEqualTo(3);
        assertThat(err.toString()).contains("none.jsonl:1");
    }

    /** Files without shares are as one; with shares each gives its part of a step. */
    @Test
    void replayOfSeveralFiles() throws IOException {
        ModelOnDisk.write(folder.resolve("model"));
        file("pairs.jsonl", "{\"prompt_input_ids\":[3,4],\"chosen_input_ids\":[5],\"rejected_input_ids\":[6]}");
        file("a.jsonl", "{\"input_ids\":[3,4,5]}");
        file("b.jsonl", "{\"input_ids\":[7,8,9]}", "{\"input_ids\":[9,8,7]}");
        file("both.jsonl", "{\"input_ids\":[3,4,5]}", "{\"input_ids\":[7,8,9]}", "{\"input_ids\":[9,8,7]}");
        file(
                "doubled.jsonl",
                "{\"input_ids\":[3,4,5]}",
                "{\"input_ids\":[7,8,9]}",
                "{\"input_ids\":[3,4,5]}",
                "{\"input_ids\":[9,8,7]}");
        assertThat(replayLosses("one", path("both.jsonl")))
                .isEqualTo(replayLosses("two", path("a.jsonl"), path("b.jsonl")));
        assertThat(replayLosses("shares", path("a.jsonl"), path("b.jsonl"), "--replay-shares", "1,1"))
                .isEqualTo(replayLosses("same", path("doubled.jsonl")))
                .isNotEqualTo(replayLosses("again", path("both.jsonl")));
        assertThat(calm(
                        "dpo",
                        "--model",
                        path("model"),
                        "--data",
                        path("pairs.jsonl"),
                        "--output",
                        path("o"),
                        "--replay",
                        path("a.jsonl"),
                        "--replay-shares",
                        "1,2"))
                .isEqualTo(2);
        assertThat(err.toString()).contains("--replay-shares");
    }

    private List<String> replayLosses(String name, String... replay) throws IOException {
        assertThat(calm(Stream.concat(
                                Stream.of(
                                        "dpo",
                                        "--model",
                                        path("model"),
                                        "--data",
                                        path("pairs.jsonl"),
                                        "--output",
                                        path(name),
                                        "--max-steps",
                                        "4",
                                        "--no-shuffle",
                                        "--replay-batch-size",
                                        "2",
                                        "--replay"),
                                Stream.of(replay))
                        .toArray(String[]::new)))
                .as(err.toString())
                .isZero();
        return Jsonl.readMaps(folder.resolve(name).resolve("metrics.jsonl")).stream()
                .map(step -> step.get("replay_loss").toString())
                .toList();
    }
}
