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
import org.calm4j.engine.io.Jsonl;
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
        Files.writeString(folder.resolve("data/dataset_info.json"), """
                {"mine": {"file_name": "pairs.jsonl", "ranking": true, "columns": {"prompt": "instruction", "chosen": "chosen"}},
                 "more": {"file_name": "more", "ranking": true},
                 "single": {"file_name": "single.jsonl", "columns": {"kto_tag": "label"}},
                 "renamed": {"file_name": "pairs.jsonl", "ranking": true, "columns": {"prompt": "question"}},
                 "spoken": {"file_name": "pairs.jsonl", "ranking": true, "tags": {"role_tag": "speaker"}},
                 "far": {"file_name": "../model/config.json", "ranking": true},
                 "hub": {"hf_hub_url": "org/pairs", "ranking": true},
                 "resampled": {"file_name": "pairs.jsonl", "ranking": true, "num_samples": 5}}""");
        Files.createDirectory(folder.resolve("data/more"));
        Files.writeString(
                folder.resolve("data/more/a.jsonl"),
                "{\"prompt_input_ids\":[7],\"chosen_input_ids\":[6],\"rejected_input_ids\":[5]}\n".repeat(4));
        Files.writeString(
                folder.resolve("data/single.jsonl"),
                "{\"prompt_input_ids\":[3],\"completion_input_ids\":[4,5],\"label\":true}\n".repeat(4));
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
            flash_attn: fa2
            gradient_checkpointing_kwargs: {use_reentrant: false}
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
        assertThat(config.path("apply_chat_template").asBoolean()).isTrue();
        assertThat(config.path("learning_rate").asDouble())
                .as("given beside it")
                .isEqualTo(1e-3);
        assertThat(err.toString()).contains("is a recipe of LLaMA-Factory");
        assertThat(err.toString().lines().filter(line -> line.contains("without effect here")))
                .singleElement()
                .asString()
                .contains(
                        "bf16", "ddp_timeout", "template", "report_to", "gradient_checkpointing_kwargs", "flash_attn");
    }

    /** Several data sets are one after the other, of each the first lines; some are held out by the seed. */
    @Test
    void dataSetsAreJoinedCutAndHeldOut() throws IOException {
        String several = LLAMA_FACTORY.replace("dataset: mine", "dataset: mine,more");
        assertThat(calm(several + "max_samples: 3\nval_size: 2\neval_strategy: steps\n", "--quiet"))
                .as(err.toString())
                .isZero();
        assertThat(config().path("data")).hasSize(2);
        assertThat(config().path("max_samples").asInt()).isEqualTo(3);
        assertThat(config().path("val_size").asDouble()).isEqualTo(2);
        assertThat(config().path("steps").asInt())
                .as("twice three lines less two, in twos")
                .isEqualTo(2);
        assertThat(config().path("eval_steps").asInt())
                .as("as often as there are log lines")
                .isEqualTo(1);
        assertThat(Jsonl.read(folder.resolve("out/metrics.jsonl"), JsonNode.class))
                .allMatch(line -> line.has("eval_loss"));
        assertThat(calm(LLAMA_FACTORY + "val_size: 6\n", "--output", folder + "/new"))
                .isEqualTo(3);
        assertThat(err.toString()).contains("recipe.yaml:35: val_size: holds out 6 of the data's 6 lines");
        assertThat(calm(several + "mix_strategy: interleave_under\n")).isEqualTo(3);
        assertThat(err.toString()).contains("recipe.yaml:35: mix_strategy: interleave_under is not done here");
    }

    @Test
    void whatIsOfAnotherStageIsIgnored() throws IOException {
        String kto = LLAMA_FACTORY.replace("stage: dpo", "stage: kto").replace("dataset: mine", "dataset: single");
        assertThat(calm(kto + "kto_chosen_weight: 2.0\n")).as(err.toString()).isZero();
        assertThat(config().path("loss_type").path(0).asText()).isEqualTo("kto");
        assertThat(config().path("desirable_weight").asDouble()).isEqualTo(2);
        assertThat(err.toString()).contains("pref_loss (the stage is kto)");
    }

    private static final String TRL = """
            model_name_or_path: @/model
            dataset_name: @/data/pairs.jsonl
            output_dir: @/out
            per_device_train_batch_size: 3
            max_steps: 2
            """;

    @Test
    void aRecipeOfTrlRunsWithItsDefaults() throws IOException {
        assertThat(calm(TRL + """
                        use_peft: true
                        lora_dropout: 0.1
                        loss_type: [sigmoid]
                        gradient_checkpointing: true
                        eval_strategy: "no"
                        eval_steps: 100
                        torch_dtype: bfloat16
                        optim: adamw_bnb_8bit
                        train_sampling_strategy: sequential
                        """)).as(err.toString()).isZero();
        JsonNode config = config();
        assertThat(config.path("lora_rank").asInt()).isEqualTo(16);
        assertThat(config.path("lora_alpha").asDouble()).isEqualTo(32);
        assertThat(config.path("lora_dropout").asDouble())
                .as("disable_dropout is true there")
                .isZero();
        assertThat(config.path("lora_targets").toString()).isEqualTo("[\"q_proj\",\"v_proj\"]");
        assertThat(config.path("learning_rate").asDouble()).isEqualTo(1e-6);
        assertThat(config.path("steps").asInt()).isEqualTo(2);
        assertThat(config.path("eval_steps").asInt()).isZero();
        assertThat(config.path("gradient_checkpointing").asBoolean()).isTrue();
        assertThat(config.path("optimizer_memory").asText()).isEqualTo("8bit");
        assertThat(config.path("no_shuffle").asBoolean()).isTrue();
        assertThat(err.toString())
                .contains(
                        "is a recipe of TRL",
                        "learning_rate 1.0e-6",
                        "lora_r 16",
                        "eval_steps (eval_strategy is not steps)",
                        "lora_dropout (preference training is without dropout, as there)");
        assertThat(calm(TRL + "use_peft: true\nlora_dropout: 0.1\ndisable_dropout: false\n", "--quiet"))
                .isZero();
        assertThat(config().path("lora_dropout").asDouble()).isEqualTo(0.1);
    }

    @Test
    void withoutUsePeftAllWeightsAreTrained() throws IOException {
        assertThat(calm(TRL + "lora_r: 8\nlora_alpha: 16\n")).as(err.toString()).isZero();
        assertThat(config().path("lora_rank").asInt()).isZero();
        assertThat(err.toString()).contains("lora_r, lora_alpha (use_peft is not true)");
        assertThat(folder.resolve("out/model.safetensors")).exists();
        assertThat(calm(TRL + "lora_r: 8\nlora_alpha: 16\n", "--lora-rank", "2", "--quiet"))
                .isZero();
        assertThat(config().path("lora_alpha").asDouble()).isEqualTo(16);
    }

    /** A folder has a file for each split. */
    @Test
    void splitsOfAFolder() throws IOException {
        Files.copy(folder.resolve("data/pairs.jsonl"), folder.resolve("data/train_prefs.jsonl"));
        Files.copy(folder.resolve("data/pairs.jsonl"), folder.resolve("data/test.jsonl"));
        String splits = TRL.replace("/pairs.jsonl", "") + "eval_strategy: steps\neval_steps: 1\n";
        assertThat(calm(splits)).isEqualTo(3);
        assertThat(err.toString()).contains("recipe.yaml:2: dataset_name: ", "/data has no train.jsonl, train.json");
        assertThat(calm(splits + "dataset_train_split: train_prefs\n"))
                .as(err.toString())
                .isZero();
        assertThat(config().path("data").asText()).isEqualTo(folder + "/data/train_prefs.jsonl");
        assertThat(config().path("eval_data").asText()).isEqualTo(folder + "/data/test.jsonl");
    }

    @Test
    void optimizersHaveTheirNames() throws IOException {
        String[][] recipes = {
            {"optim: adamw_torch_fused\n", ""},
            {"optim: muon\n", "muon"},
            {"use_muon: true\n", "muon"},
            {"optim: schedule_free_adamw\n", "schedule_free_adamw"}
        };
        for (String[] each : recipes) {
            String recipe = LLAMA_FACTORY.replace("cosine", "constant") + each[0];
            assertThat(calm(recipe, "--max-steps", "1")).as(err.toString()).isZero();
            assertThat(config().path("optimizer").asText()).as(each[0]).isEqualTo(each[1]);
        }
        assertThat(calm(LLAMA_FACTORY + "optim: muon\n", "--zero", "1")).isEqualTo(2);
        assertThat(err.toString()).contains("--zero does not go with --optimizer muon");
        assertThat(calm(LLAMA_FACTORY + "muon_momentum: 0.9\n")).isEqualTo(3);
        assertThat(err.toString()).contains("recipe.yaml:35: muon_momentum: is for --optimizer muon");
    }

    @Test
    void whatIsWrongIsNamedWithItsLine() throws IOException {
        assertThat(calm(LLAMA_FACTORY + "pref_betta: 0.1\nlearning_rte: 1\n")).isEqualTo(3);
        assertThat(err.toString())
                .contains(
                        "recipe.yaml:35: unknown keys 'pref_betta' (is it ",
                        "pref_beta",
                        "'learning_rte' (is it learning_rate");
        for (String[] wrong : new String[][] {
            {"stage: sft\n", ":1: stage: sft is not done by calm dpo; calm sft does it"},
            {"finetuning_type: freeze\n", ":1: finetuning_type: freeze is not known here; known: lora, full"},
            {"packing: true\n", ":1: packing: true is not done here; known: false; a batch counts its lines"},
            {"optim: adafactor\n", ":1: optim: adafactor is not done here"},
            {"eval_strategy: best\n", ":1: eval_strategy: best is not done here; known: no, steps"},
            {"eval_strategy: steps\neval_steps: 5\ndata: d\n", ":2: eval_steps: needs --eval-data or --val-size"},
            {"dataset: renamed\ndataset_dir: @/data\n", "'renamed' calls its prompt 'question'; rename that"},
            {"dataset: spoken\ndataset_dir: @/data\n", "'spoken' calls its role_tag 'speaker'"},
            {"dataset: far\ndataset_dir: @/data\n", "leaves its folder"},
            {"dataset: hub\ndataset_dir: @/data\n", "has no file_name of 'hub', but a hub's org/pairs"},
            {"dataset: resampled\ndataset_dir: @/data\n", "'resampled' has num_samples"},
            {"dataset: single\ndataset_dir: @/data\n", ":1: dataset: 'single' has no pairs, says ranking"},
            {"dataset: none\ndataset_dir: @/data\n", ":1: dataset: 'none' is not in "},
            {"dataset: a\n", ":1: dataset: data/dataset_info.json is not there; dataset_dir is data where"},
            {"dataset: a\ndataset_dir: @/no\n", ":2: dataset_dir: "},
            {"dataset_name: some/hub\n", ":1: dataset_name: some/hub is not a file or folder here"},
            {"beta: 1\ndataset_mixture:\n- id: a/b\n", ":2: dataset_mixture: names data sets of a hub"},
            {"model_name_or_path: some/hub\n", ":1: model_name_or_path: some/hub is not a folder here"},
            {"eos_token: <end>\n", ":1: eos_token: the model's own is used, which is not known"},
            {"chat_template: x\n", ":1: chat_template: the model's own is used, and is another one"},
            {"train_sampling_strategy: group_by_length\n", ":1: train_sampling_strategy: group_by_length"},
            {"lr_scheduler_kwargs: x\n", ":1: lr_scheduler_kwargs: expected its keys"},
            {"beta: 1\nbeta: 2\n", ":2: beta is given twice"},
            {"beta: {a: 1}\n", ":1: beta: expected a value"},
            {"- 1\n", "expected keys and values"},
            {"beta: [1\n", "recipe.yaml:2"},
            {"a: &a [1,1]\nb: &b [*a,*a]\nbeta: [*b,*b]\n", "unknown keys 'a'"},
            // What the options themselves refuse.
            {"learning_rate: -1\n", ":1: learning_rate: must be "},
            {"learning_rate: fast\n", ":1: learning_rate: 'fast' is not a number"},
            {"\nmax_steps: 0.5\n", ":2: max_steps: '0.5' is not a whole number"},
            {"gradient_checkpointing: perhaps\n", ":1: gradient_checkpointing: 'perhaps' is neither true nor false"},
            {"lr_scheduler_type: sawtooth\n", ":1: lr_scheduler_type: 'sawtooth' is not one of "},
            {"pref_loss: quadratic\n", ":1: pref_loss: \"quadratic\" is not known; known: "},
            {"pref_beta: 0\n", ":1: pref_beta: must be above 0"},
            {"lora_rank: 4\nlora_target: q_prj\n", ":2: lora_target: has \"q_prj\", which is no linear layer"},
            {"sync_ref_model: true\nprecompute_ref_log_probs: true\n", ":2: precompute_ref_log_probs: cannot be given"},
        }) {
            List<String> others = new ArrayList<>();
            if (!wrong[0].contains("model_name")) {
                others.addAll(List.of("--model", folder + "/model"));
            }
            if (!wrong[0].contains("data")) {
                others.addAll(List.of("--data", folder + "/data/pairs.jsonl"));
            }
            others.addAll(List.of("--output", folder + "/out"));
            assertThat(calm(wrong[0], others.toArray(String[]::new)))
                    .as(wrong[0] + err)
                    .isEqualTo(3);
            assertThat(err.toString())
                    .as(wrong[0])
                    .contains("recipe.yaml".repeat(wrong[1].startsWith(":") ? 1 : 0) + wrong[1]);
            assertThat(err.toString()
                            .lines()
                            .filter(line -> line.startsWith("calm dpo: "))
                            .count())
                    .as(err.toString())
                    .isEqualTo(1);
        }
        assertThat(calm("x".repeat(2 << 20))).isEqualTo(3);
        assertThat(err.toString()).contains("larger than a recipe can be");
        assertThat(folder.resolve("out")).doesNotExist();
    }

    /** What is wrong on the command line is not the recipe's fault. */
    @Test
    void theOtherOptionsAreNamedAsFlags() throws IOException {
        assertThat(calm(LLAMA_FACTORY, "--learning-rate", "-1")).isEqualTo(2);
        assertThat(err.toString()).contains("--learning-rate must be ").doesNotContainPattern("recipe.yaml:\\d");
        assertThat(calm(LLAMA_FACTORY, "--eval-steps", "1")).isEqualTo(2);
        assertThat(err.toString()).contains("--eval-steps needs --eval-data or --val-size");
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

    private int typed(String flags) {
        err.getBuffer().setLength(0);
        String all = "dpo --model_name_or_path @/model --dataset_name @/data/pairs.jsonl --output_dir @/out " + flags;
        return Calm.execute(
                new PrintWriter(new StringWriter()),
                new PrintWriter(err),
                all.replace("@", folder.toString()).split(" "));
    }

    @Test
    void theirFlagsAreTakenAsTheyAreTyped() {
        assertThat(
                        typed(
                                "--use_peft --lora_alpha=8 --per_device_train_batch_size 1 --gradient_accumulation_steps 2 --optim adamw_torch --lr_scheduler_type cosine_with_min_lr"
                                        + " --lr_scheduler_kwargs {\"min_lr_rate\":0.25} --warmup_steps 0.5 --max_steps -1 --num_train_epochs 1 --eval_strategy no --eval_steps 5 --share_prompts True"
                                        + " --gradient_checkpointing False --report_to wandb --run_name mine --fp16 --ddp_timeout=10 --dpo_label_smoothing 0.1"))
                .as(err.toString())
                .isZero();
        assertThat(err.toString())
                .contains("calm: an adapter as there: lora_r 16, lora_target_modules q_proj,v_proj\n")
                .contains("--fp16 (the device decides")
                .contains("--report-to, --run-name (metrics.jsonl");
        JsonNode config = config();
        assertThat(config.path("lora_rank").asInt()).isEqualTo(16);
        assertThat(config.path("lora_alpha").asDouble()).isEqualTo(8);
        assertThat(config.path("batch_size").asInt()).isEqualTo(2);
        assertThat(config.path("min_lr_rate").asDouble()).isEqualTo(0.25);
        assertThat(config.path("warmup_ratio").asDouble()).isEqualTo(0.5);
        assertThat(config.path("steps").asInt()).as("one epoch").isEqualTo(3);
        assertThat(config.path("eval_steps").asInt()).as("eval_strategy is no").isZero();
        assertThat(config.path("share_prompts").asBoolean()).isTrue();
        assertThat(config.path("gradient_checkpointing").asBoolean()).isFalse();
        assertThat(config.path("label_smoothing").asDouble()).isEqualTo(0.1);
        assertThat(config.path("learning_rate").asDouble()).as("ours").isEqualTo(5e-5);
    }

    @Test
    void theirFlagsAreWrongUsageWhereWeCannot() {
        assertThat(typed("--packing True")).isEqualTo(2);
        assertThat(err.toString()).startsWith("calm dpo: --packing: True is not done here");
        assertThat(typed("--load_in_4bit")).isEqualTo(2);
        assertThat(typed("--eval_strategy epochs")).isEqualTo(2);
        assertThat(typed("--lr_scheduler_kwargs cosine")).isEqualTo(2);
        assertThat(err.toString()).contains("--lr-scheduler-kwargs: expected JSON");
        assertThat(typed("--share_prompts maybe")).isEqualTo(2);
        assertThat(typed("--use_left True")).isEqualTo(2);
        assertThat(err.toString()).contains("Unknown options: '--use-left'");
    }

    @Test
    void aTypedKeyWinsOverTheRecipes() throws IOException {
        assertThat(calm(LLAMA_FACTORY, "--pref-beta", "0.3", "--pref_loss", "hinge"))
                .as(err.toString())
                .isZero();
        assertThat(config().path("beta").asDouble()).isEqualTo(0.3);
        assertThat(config().path("loss_type").path(0).asText()).isEqualTo("hinge");
    }
}
