package org.calm4j.calm.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.calm4j.calm.experiment.ModelOnDisk;
import org.calm4j.engine.io.Json;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A recipe of LLaMA-Factory or TRL runs as it is, and what it says is what is done. */
final class RecipeTest {
    @TempDir
    private Path folder;

    private final StringWriter err = new StringWriter();

    @BeforeEach
    void files() throws IOException {
        ModelOnDisk.write(folder.resolve("model"));
        Files.createDirectory(folder.resolve("data"));
        Files.writeString(
                folder.resolve("data/pairs.jsonl"),
                "{\"prompt_input_ids\":[3],\"chosen_input_ids\":[4,5],\"rejected_input_ids\":[5]}\n".repeat(6));
        Files.writeString(
                folder.resolve("data/dataset_info.json"),
                "{\"mine\":{\"file_name\":\"pairs.jsonl\",\"ranking\":true,\"columns\":{\"prompt\":\"instruction\",\"chosen\":\"chosen\"}},"
                        + "\"renamed\":{\"file_name\":\"pairs.jsonl\",\"columns\":{\"prompt\":\"question\"}},"
                        + "\"far\":{\"file_name\":\"../model/config.json\"}}");
    }

    private int calm(String yaml, String... more) throws IOException {
        Path recipe = Files.writeString(folder.resolve("recipe.yaml"), yaml.replace("@", folder.toString()));
        err.getBuffer().setLength(0);
        List<String> arguments = new ArrayList<>(List.of("dpo", "--config", recipe.toString()));
        arguments.addAll(List.of(more));
        return Calm.execute(
                new PrintWriter(new StringWriter()), new PrintWriter(err), arguments.toArray(String[]::new));
    }

    private JsonNode config() {
        return Json.read(folder.resolve("out/train_config.json"), JsonNode.class);
    }

    private static final String LLAMA_FACTORY = """
            ### model
            model_name_or_path: @/model
            trust_remote_code: true
            ### method
            stage: dpo
            do_train: true
            finetuning_type: lora
            lora_rank: 4
            lora_target: all
            pref_beta: 0.2
            pref_loss: ipo
            ### dataset
            dataset: mine
            dataset_dir: @/data
            template: llama3
            cutoff_len: 32
            overwrite_cache: true
            ### output
            output_dir: @/out
            logging_steps: 1
            plot_loss: true
            report_to: none
            ### train
            per_device_train_batch_size: 1
            gradient_accumulation_steps: 2
            learning_rate: 5.0e-6
            num_train_epochs: 1.0
            lr_scheduler_type: cosine
            warmup_ratio: 0.1
            bf16: true
            ddp_timeout: 180000000
            resume_from_checkpoint: null
            """;

    @Test
    void aRecipeOfLlamaFactoryRuns() throws IOException {
        assertThat(calm(LLAMA_FACTORY, "--learning-rate", "1e-3"))
                .as(err.toString())
                .isZero();
        JsonNode config = config();
        assertThat(config.path("beta").asDouble()).isEqualTo(0.2);
        assertThat(config.path("loss_type").path(0).asText()).isEqualTo("ipo");
        assertThat(config.path("lora_rank").asInt()).isEqualTo(4);
        assertThat(config.path("lora_targets").path(0).asText()).isEqualTo("all-linear");
        assertThat(config.path("batch_size").asInt()).isEqualTo(2);
        assertThat(config.path("micro_batch_size").asInt()).isEqualTo(1);
        assertThat(config.path("steps").asInt()).isEqualTo(3);
        assertThat(config.path("max_length").asInt()).isEqualTo(32);
        assertThat(config.path("lr_scheduler").asText()).isEqualTo("cosine");
        assertThat(config.path("data").asText()).isEqualTo(folder + "/data/pairs.jsonl");
        assertThat(config.path("learning_rate").asDouble())
                .as("given beside it")
                .isEqualTo(1e-3);
        assertThat(err.toString())
                .contains(
                        "is a recipe of LLaMA-Factory",
                        "ignored, since",
                        "bf16",
                        "ddp_timeout",
                        "template",
                        "report_to");
    }

    @Test
    void aRecipeOfTrlRunsWithItsDefaults() throws IOException {
        assertThat(calm("""
                        model_name_or_path: @/model
                        dataset_name: @/data/pairs.jsonl
                        output_dir: @/out
                        use_peft: true
                        lora_target_modules: [q_proj, v_proj]
                        loss_type: [sigmoid]
                        per_device_train_batch_size: 3
                        max_steps: 2
                        gradient_checkpointing: true
                        eval_strategy: "no"
                        """)).as(err.toString()).isZero();
        JsonNode config = config();
        assertThat(config.path("lora_rank").asInt()).isEqualTo(16);
        assertThat(config.path("lora_alpha").asDouble()).isEqualTo(32);
        assertThat(config.path("lora_dropout").asDouble()).isEqualTo(0.05);
        assertThat(config.path("lora_targets")).hasSize(2);
        assertThat(config.path("learning_rate").asDouble()).isEqualTo(1e-6);
        assertThat(config.path("steps").asInt()).isEqualTo(2);
        assertThat(config.path("gradient_checkpointing").asBoolean()).isTrue();
        assertThat(err.toString()).contains("is a recipe of TRL", "learning_rate 1.0e-6", "lora_r 16");
    }

    @Test
    void whatIsWrongIsNamedWithItsLine() throws IOException {
        assertThat(calm(LLAMA_FACTORY + "pref_betta: 0.1\nlearning_rte: 1\n")).isEqualTo(3);
        assertThat(err.toString())
                .contains(
                        "recipe.yaml:33: unknown keys 'pref_betta' (is it ",
                        "pref_beta",
                        "'learning_rte' (is it learning_rate");
        for (String[] wrong : new String[][] {
            {"stage: sft\n", ":1: stage is sft, which calm dpo does not do; calm sft does"},
            {"finetuning_type: freeze\n", "known here: lora, full"},
            {"packing: true\n", "packing is true, which is not done here; known: false"},
            {"optim: adafactor\n", "optim is adafactor"},
            {"eval_strategy: epoch\n", "known: no, steps"},
            {"dataset: renamed\ndataset_dir: @/data\n", "'renamed' calls its prompt 'question'; rename that field"},
            {"dataset: far\ndataset_dir: @/data\n", "leaves its folder"},
            {"dataset: a,b\n", "join them in one file"},
            {"dataset_name: some/hub\n", "not a file here"},
            {"beta: 1\nbeta: 2\n", ":2: beta is given twice"},
            {"beta: {a: 1}\n", ":1: expected a value"},
            {"- 1\n", "expected keys and values"},
            {"beta: [1\n", "recipe.yaml:2"},
            {"a: &a [1,1]\nb: &b [*a,*a]\nbeta: [*b,*b]\n", "expected a value"}
        }) {
            assertThat(calm(wrong[0], "--model", folder + "/model", "--output", folder + "/out"))
                    .as(wrong[0])
                    .isEqualTo(3);
            assertThat(err.toString()).as(wrong[0]).contains(wrong[1]);
            assertThat(err.toString().lines().count()).as(err.toString()).isLessThanOrEqualTo(3);
        }
        assertThat(calm("x".repeat(2 << 20))).isEqualTo(3);
        assertThat(err.toString()).contains("larger than a recipe can be");
        assertThat(folder.resolve("out")).doesNotExist();
        assertThat(calm("learning_rate: -1\nmodel: @/model\ndata: @/data/pairs.jsonl\noutput: @/out\n"))
                .isEqualTo(2);
    }

    @Test
    void anSftTermHasItsWeight() throws IOException {
        assertThat(calm(LLAMA_FACTORY + "pref_ftx: 0.5\n", "--quiet"))
                .as(err.toString())
                .isZero();
        assertThat(config().path("loss_type").toString()).isEqualTo("[\"ipo\",\"sft\"]");
        assertThat(config().path("loss_weights").toString()).isEqualTo("[1.0,0.5]");
        assertThat(err.toString()).isEmpty();
    }
}
