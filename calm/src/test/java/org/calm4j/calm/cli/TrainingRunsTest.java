package org.calm4j.calm.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.calm4j.calm.experiment.ModelOnDisk;
import org.calm4j.engine.io.Json;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Options of training through the command line: what is resumed has the same bytes, and what is saved gives what was trained. */
final class TrainingRunsTest {
    @TempDir
    private Path folder;

    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    @BeforeEach
    void files() throws IOException {
        ModelOnDisk.write(folder.resolve("model"));
        StringBuilder lines = new StringBuilder();
        for (int i = 0; i < 6; i++) {
            lines.append("{\"input_ids\":[")
                    .append(3 + i)
                    .append(",4,")
                    .append(9 - i)
                    .append(",5,6]}\n");
        }
        Files.writeString(folder.resolve("data.jsonl"), lines);
        Files.writeString(folder.resolve("in.jsonl"), "{\"id\":1,\"input_ids\":[3,4,5,6,7],\"completion_start\":1}\n");
    }

    private int calm(String... arguments) {
        out.getBuffer().setLength(0);
        err.getBuffer().setLength(0);
        return Calm.execute(new PrintWriter(out), new PrintWriter(err), arguments);
    }

    private int sft(String output, String options, String... more) {
        List<String> arguments =
                new ArrayList<>(List.of("sft", "--model", path("model"), "--data", path("data.jsonl")));
        arguments.addAll(List.of("--output", path(output), "--max-steps", "4", "--save-steps", "2", "--device", "cpu"));
        arguments.addAll(List.of("--learning-rate", "1e-2", "--batch-size", "2"));
        arguments.addAll(List.of(options.split(" ")));
        arguments.addAll(List.of(more));
        return calm(arguments.toArray(String[]::new));
    }

    private String path(String name) {
        return folder.resolve(name).toString();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "--lora-rank 2 --use-dora --lora-dropout 0.2",
                "--lora-rank 2 --init-lora-weights pissa --loraplus-lr-ratio 4",
                "--lora-rank 2 --use-rslora --modules-to-save embed_tokens,lm_head --learning-rates embed|lm_head=1e-3",
                "--ema-decay 0.7",
                "--lora-rank 2 --use-dora --ema-decay 0.7",
                "--lr-scheduler warmup_stable_decay --warmup-steps 1 --weight-decays norm=0.1 --learning-rates norm=1e-3"
            })
    void resumedRunsHaveTheSameBytes(String options) throws IOException {
        assertThat(sft("o", options)).as(err.toString()).isZero();
        List<byte[]> whole = saved();
        delete(folder.resolve("o/checkpoint-4"));
        assertThat(sft("o", options, "--resume")).as(err.toString()).isZero();
        assertThat(saved()).usingRecursiveComparison().isEqualTo(whole);
        if (options.contains("--lora-rank")) {
            mergedIsTheSame();
        }
        if (options.contains("--ema-decay")) {
            boolean adapter = options.contains("--lora-rank");
            double[] average = adapter
                    ? score("--model", path("model"), "--adapter", path("o/ema"))
                    : score("--model", path("o/ema"));
            double[] last =
                    adapter ? score("--model", path("model"), "--adapter", path("o")) : score("--model", path("o"));
            double start = score("--model", path("model"))[0];
            // Between the start and the end.
            assertThat((average[0] - start) / (last[0] - start)).isBetween(0.05, 0.95);
        }
        if (options.contains("--learning-rates")) {
            JsonNode first = Json.mapper()
                    .readTree(Files.readAllLines(folder.resolve("o/metrics.jsonl"))
                            .getLast());
            assertThat(first.path("learning_rates").size()).isEqualTo(1);
        }
    }

    private List<byte[]> saved() throws IOException {
        List<byte[]> files = new ArrayList<>();
        for (String file : List.of("o", "o/checkpoint-4", "o/ema")) {
            if (!Files.exists(folder.resolve(file))) {
                continue;
            }
            try (Stream<Path> all = Files.list(folder.resolve(file))) {
                for (Path each : all.filter(each -> each.toString().endsWith("safetensors"))
                        .sorted()
                        .toList()) {
                    files.add(Files.readAllBytes(each));
                }
            }
        }
        return files;
    }

    private void mergedIsTheSame() throws IOException {
        assertThat(calm("convert", "--model", path("model"), "--adapter", path("o"), "--output", path("merged")))
                .as(err.toString())
                .isZero();
        double[] adapted = score("--adapter", path("o"), "--model", path("model"));
        double[] merged = score("--model", path("merged"));
        double[] plain = score("--model", path("model"));
        assertThat(merged).containsExactly(adapted, within(1e-4));
        assertThat(Math.abs(plain[0] - adapted[0])).isGreaterThan(1e-3);
    }

    private double[] score(String... model) throws IOException {
        List<String> arguments =
                new ArrayList<>(List.of("score", "--input", path("in.jsonl"), "--output", path("s.jsonl")));
        arguments.addAll(List.of(model));
        assertThat(calm(arguments.toArray(String[]::new))).as(err.toString()).isZero();
        return Json.mapper()
                .readTree(Files.readString(folder.resolve("s.jsonl")))
                .path("logprobs")
                .valueStream()
                .mapToDouble(JsonNode::doubleValue)
                .toArray();
    }

    private static void delete(Path folder) throws IOException {
        try (Stream<Path> files = Files.walk(folder)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        }
    }

    @Test
    void skippedStepsAreSaidAndTooManyEndTheRun() throws IOException {
        Files.writeString(
                folder.resolve("data.jsonl"),
                "{\"input_ids\":[3,4,5]}\n{\"input_ids\":[3,4,5],\"weight\":1e308}\n{\"input_ids\":[3,4,5],\"weight\":1e308}\n");
        assertThat(sft("o", "--batch-size 1 --no-shuffle --max-skipped-steps 2"))
                .as(err.toString())
                .isZero();
        assertThat(err.toString()).contains("step 2 skipped: loss", "step 3 skipped: loss");
        List<String> metrics = Files.readAllLines(folder.resolve("o/metrics.jsonl"));
        assertThat(metrics.get(0)).doesNotContain("skipped_steps");
        assertThat(metrics.get(3)).contains("\"skipped_steps\":2");
        assertThat(sft("p", "--batch-size 1 --no-shuffle --max-skipped-steps 1"))
                .isEqualTo(1);
        assertThat(err.toString()).contains("step 3: loss", "--max-skipped-steps");
    }

    /** A matrix that is large enough for moments in fewer bits. */
    @ParameterizedTest
    @ValueSource(strings = {"bf16", "8bit"})
    void momentsInFewerBitsAreResumed(String memory) throws IOException {
        Files.writeString(folder.resolve("config.json"), """
                {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 80, "hidden_size": 64, "intermediate_size": 64,
                 "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2, "hidden_act": "silu", "rms_norm_eps": 1e-6,
                 "max_position_embeddings": 64, "tie_word_embeddings": true, "torch_dtype": "float32"}
                """);
        List<String> arguments =
                new ArrayList<>(List.of("pretrain", "--config", path("config.json"), "--data", path("data.jsonl")));
        arguments.addAll(List.of("--output", path("o"), "--max-steps", "4", "--save-steps", "2", "--device", "cpu"));
        arguments.addAll(List.of("--learning-rate", "1e-2", "--batch-size", "2", "--optimizer-memory", memory));
        assertThat(calm(arguments.toArray(String[]::new))).as(err.toString()).isZero();
        List<byte[]> whole = saved();
        delete(folder.resolve("o/checkpoint-4"));
        arguments.add("--resume");
        assertThat(calm(arguments.toArray(String[]::new))).as(err.toString()).isZero();
        assertThat(saved()).usingRecursiveComparison().isEqualTo(whole);
        arguments.addAll(List.of("--optimizer-memory", "f32"));
        assertThat(calm(arguments.toArray(String[]::new))).isEqualTo(3);
        assertThat(err.toString()).contains("made with optimizer_memory " + memory + ", now it is");
        // What is there stays where it may be chosen.
        arguments.addAll(List.of("--optimizer-memory", "auto"));
        delete(folder.resolve("o/checkpoint-4"));
        assertThat(calm(arguments.toArray(String[]::new))).as(err.toString()).isZero();
        assertThat(err.toString()).contains("moments in " + memory + ", as before");
        assertThat(saved()).usingRecursiveComparison().isEqualTo(whole);
    }

    @Test
    void momentsAreChosenToFit() throws IOException {
        assertThat(sft(
                        "a",
                        "--optimizer-memory auto --micro-batch-size auto --batch-size 2 --max-steps 1 --lora-rank 2"))
                .as(err.toString())
                .isZero();
        assertThat(err.toString()).containsPattern("; passes of 2 lines and moments in f32, to fit into [\\d.]+ GB");
        assertThat(sft("b", "--batch-size 2 --max-steps 1 --lora-rank 2")).isZero();
        assertThat(Files.readString(folder.resolve("a/train_config.json"))).doesNotContain("auto");
        assertThat(folder.resolve("a/adapter_model.safetensors"))
                .hasSameBinaryContentAs(folder.resolve("b/adapter_model.safetensors"));
    }

    @Test
    void aReferenceThatFollowsNeedsAllWeights() {
        List<String> arguments =
                new ArrayList<>(List.of("dpo", "--model", path("model"), "--data", path("data.jsonl")));
        arguments.addAll(List.of("--output", path("o"), "--sync-ref-model", "--lora-rank", "2", "--device", "cpu"));
        assertThat(calm(arguments.toArray(String[]::new))).isEqualTo(2);
        assertThat(err.toString()).contains("--sync-ref-model needs all weights to be trained");
        assertThat(folder.resolve("o")).doesNotExist();
    }

    /** A model that is not there any more must not be taken for the run's result. */
    @Test
    void aRunThatReplacesAnotherLeavesNothingOfIt() {
        assertThat(sft("o", "--save-steps 0 --ema-decay 0.5"))
                .as(err.toString())
                .isZero();
        assertThat(folder.resolve("o/model.safetensors")).exists();
        assertThat(folder.resolve("o/ema")).exists();
        assertThat(sft("o", "--save-steps 0 --lora-rank 2")).as(err.toString()).isZero();
        assertThat(folder.resolve("o/adapter_model.safetensors")).exists();
        assertThat(folder.resolve("o/model.safetensors")).doesNotExist();
        assertThat(folder.resolve("o/config.json")).doesNotExist();
        assertThat(folder.resolve("o/ema")).doesNotExist();
        assertThat(sft("o", "--save-steps 0")).as(err.toString()).isZero();
        assertThat(folder.resolve("o/model.safetensors")).exists();
        assertThat(folder.resolve("o/adapter_model.safetensors")).doesNotExist();
        assertThat(folder.resolve("o/adapter_config.json")).doesNotExist();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "--lr-scheduler cosine_with_min_lr | --min-lr or --min-lr-rate",
                "--lr-scheduler polynomial --lr-end 1 | --lr-end must be from 0",
                "--learning-rates nothing=1 | fit none of the trained weights",
                "--lora-rank 2 --lora-layers 7 | --lora-layers has 7; the model's blocks are 0 to",
                "--lora-rank 2 --lora-targets .*x | --lora-targets fits no linear layer",
                "--lora-rank 2 --lora-targets .*q_proj --lora-layers 0 | not with a regular expression",
                "--lora-rank 2 --use-dora --init-lora-weights pissa | --use-dora does not go with --init-lora-weights pissa",
                "--use-dora | --use-dora is for a new adapter: it needs --lora-rank",
                "--init-lora-weights pissa | --init-lora-weights is for a new adapter: it needs --lora-rank",
                "--modules-to-save lm_head | --modules-to-save is for a new adapter: it needs --lora-rank",
                "--lora-rank 2 --modules-to-save nothing | modules_to_save names nothing, which the model does not have"
            })
    void usageIsRefused(String optionsAndMessage) {
        String[] parts = optionsAndMessage.split(" \\| ");
        assertThat(sft("o", parts[0])).as(err.toString()).isIn(2, 3);
        assertThat(err.toString()).contains(parts[1]);
    }
}
