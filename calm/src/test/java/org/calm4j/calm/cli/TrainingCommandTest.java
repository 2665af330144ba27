package org.calm4j.calm.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.calm4j.calm.experiment.ModelOnDisk;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Jsonl;
import org.junit.jupiter.api.Test;

/** dpo and sft from the command line to the files that they leave. */
final class TrainingCommandTest extends CommandLineFixture {
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

    private String[] dpo(String output, String... more) throws IOException {
        if (!Files.exists(folder.resolve("model"))) {
            ModelOnDisk.write(folder.resolve("model"));
            file("pairs.jsonl", "{\"prompt_input_ids\":[3],\"chosen_input_ids\":[4],\"rejected_input_ids\":[5]}");
        }
        return with(
                List.of(
                        "dpo",
                        "--model",
                        path("model"),
                        "--data",
                        path("pairs.jsonl"),
                        "--output",
                        path(output),
                        "--max-steps",
                        "2",
                        "--save-steps",
                        "1"),
                more);
    }

    /** What an adapter is, it is; an option that changes nothing is said. */
    @Test
    void optionsWithoutEffectAreSaid() throws IOException {
        assertThat(calm(dpo("adapter", "--lora-rank", "2"))).isZero();
        for (String[] wrong : new String[][] {
            {
                "--lora-rank",
                "8",
                "--lora-rank is for a new adapter; that of --adapter is trained further as it is, with 2"
            },
            {"--lora-targets", "q_proj", "--lora-targets is for a new adapter"},
            {"--init-lora-weights", "pissa", "--init-lora-weights is for a new adapter"},
        }) {
            assertThat(calm(dpo("further", "--adapter", path("adapter"), wrong[0], wrong[1])))
                    .isEqualTo(2);
            assertThat(err.toString()).contains(wrong[2]);
        }
        assertThat(calm(dpo("further", "--lora-alpha", "8"))).isEqualTo(2);
        assertThat(err.toString()).contains("--lora-alpha is for a new adapter: it needs --lora-rank");
        assertThat(folder.resolve("further")).doesNotExist();
        // As it is anyway.
        assertThat(calm(dpo("whole", "--lora-targets", "all-linear", "--lora-dropout", "0")))
                .isZero();
        assertThat(err.toString())
                .contains(
                        "--lora-targets has no effect without --adapter or --lora-rank",
                        "--lora-dropout has no effect without --adapter or --lora-rank");
        assertThat(calm(dpo(
                        "further",
                        "--adapter",
                        path("adapter"),
                        "--lora-rank",
                        "2",
                        "--eval-data",
                        path("pairs.jsonl"),
                        "--epochs",
                        "3",
                        "--greater-is-better",
                        "false")))
                .as(err.toString())
                .isZero();
        assertThat(err.toString())
                .contains(
                        "--lora-rank is that of the adapter anyway",
                        "--eval-data has no effect without --eval-steps",
                        "--greater-is-better has no effect without --early-stopping-patience or --load-best-model-at-end",
                        "--epochs has no effect beside --max-steps");
    }

    /** What a configuration says beside the shape does not count; another shape is found before data are read. */
    @Test
    void aReferenceThatFollowsHasTheModelsShape() throws IOException {
        ModelOnDisk.write(folder.resolve("model"));
        Path other = folder.resolve("other");
        ModelOnDisk.write(other);
        file("pairs.jsonl", "{\"prompt_input_ids\":[3],\"chosen_input_ids\":[4],\"rejected_input_ids\":[5]}");
        Path config = other.resolve("config.json");
        ObjectNode json = Json.read(config, ObjectNode.class);
        Json.write(config, json.put("transformers_version", "0"));
        String[] follow = {"--sync-ref-model", "--reference-model", other.toString()};
        assertThat(calm(dpo("o", follow))).as(err.toString()).isZero();
        Json.write(
                config,
                json.put("num_hidden_layers", json.get("num_hidden_layers").intValue() + 1));
        String[] unread = {"--sync-ref-model", "--reference-model", other.toString(), "--data", path("none.jsonl")};
        assertThat(calm(dpo("p", unread))).isEqualTo(3);
        assertThat(err.toString())
                .contains("has another shape than the trained model")
                .doesNotContain("memory");
        Json.write(config, json.put("vocab_size", json.get("vocab_size").intValue() + 1));
        assertThat(calm(dpo("p", unread))).isEqualTo(3);
        assertThat(err.toString()).contains("its vocabulary has ").doesNotContain("memory");
    }

    /** Before anything is computed; and a run that has nothing left to do is one that is done. */
    @Test
    void earlierCheckpointsAreRefusedAtOnce() throws IOException {
        assertThat(calm(dpo("o"))).isZero();
        assertThat(calm(dpo("o"))).isEqualTo(3);
        assertThat(err.toString())
                .contains("has checkpoints of an earlier run; continue with --resume")
                .doesNotContain("reference", "memory");
        assertThat(calm(dpo("o", "--resume"))).isZero();
        assertThat(err.toString()).contains("dpo: 2/2 in ");
        file("single.jsonl", "{\"prompt_input_ids\":[3],\"completion_input_ids\":[4],\"label\":true}");
        assertThat(calm(dpo("p", "--data", path("single.jsonl")))).isEqualTo(3);
        assertThat(err.toString()).contains("single.jsonl:1: is a single completion with a label", "--loss-type kto");
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
