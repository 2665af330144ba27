package org.calm4j.calm.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Offset.offset;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import org.calm4j.calm.experiment.ModelOnDisk;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Jsonl;
import org.junit.jupiter.api.Test;

/** score, generate, tokenizer and doctor. */
final class ModelCommandsTest extends CommandLineFixture {
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
}
