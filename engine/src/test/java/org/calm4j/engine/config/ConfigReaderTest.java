package org.calm4j.engine.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.model.OracleModel;
import org.calm4j.engine.model.Parameters;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.simd.SimdBackend;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

public final class ConfigReaderTest {
    private static final List<String> STRANGE = List.of(
            "null",
            "true",
            "false",
            "0",
            "1",
            "-1",
            "2",
            "3",
            "7",
            "64",
            "1.5",
            "-0.0",
            "1e308",
            "1e-308",
            "1e999",
            "-1e999",
            "2147483647",
            "2147483648",
            "-2147483648",
            "9223372036854775808",
            "16777216",
            "99999999999999999999",
            "\"\"",
            "\"8\"",
            "\"silu\"",
            "\"gpt2\"",
            "\"llama\"",
            "\"dynamic\"",
            "\"yarn\"",
            "\"NaN\"",
            "[]",
            "[1]",
            "[[[]]]",
            "[null]",
            "{}",
            "{\"factor\":0}",
            "{\"rope_type\":\"llama3\"}",
            "{\"type\":\"yarn\",\"factor\":1e30}",
            "{\"rope_type\":7}",
            "[\"sliding_attention\",\"full_attention\"]");

    @TempDir
    private Path folder;

    private static JsonNode json(String text) {
        try {
            return Json.mapper().readTree(text);
        } catch (JsonProcessingException e) {
            throw new AssertionError(text, e);
        }
    }

    private static ModelConfig with(String model, String field, String value) {
        ObjectNode json = OracleModel.config(model);
        if (value == null) {
            json.remove(field);
        } else {
            json.set(field, json(value));
        }
        return ConfigReader.of(json, "config.json");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            llama-tied | model_type | "gemma2" | model_type is "gemma2"; supported: llama, mistral
            llama-tied | model_type | 7 | model_type is 7, expected a string
            llama-tied | hidden_act | "gelu" | hidden_act is "gelu"; supported: silu
            llama-tied | rope_scaling | {"type": "dynamic", "factor": 2} | rope_scaling: type is "dynamic"; supported
            llama-tied | rope_scaling | {"rope_type": "longrope"} | rope_scaling: rope_type is "longrope"; supported
            llama-tied | rope_scaling | {"rope_type": "linear"} | rope_scaling: factor is missing
            llama-tied | rope_scaling | 4 | rope_scaling is 4, expected an object
            llama-tied | rope_parameters | {"full_attention": {}} | rope_parameters: full_attention is {}; supported
            llama-tied | partial_rotary_factor | 2 | turn 8 elements of a head of 4
            llama-tied | head_dim | 5 | turn 5 elements of a head of 5
            llama-tied | num_attention_heads | 3 | not a multiple of num_key_value_heads
            llama-tied | num_attention_heads | 100 | hidden_size 16 over num_attention_heads 100
            llama-tied | hidden_size | -16 | hidden_size is -16, expected a whole number from 1
            llama-tied | vocab_size | "37" | vocab_size is "37", expected a whole number
            llama-tied | num_hidden_layers | 100000 | num_hidden_layers is 100000, expected
            llama-tied | rms_norm_eps | 0 | rms_norm_eps is 0, expected a positive number
            llama-tied | tie_word_embeddings | "yes" | tie_word_embeddings is "yes", expected true or false
            llama-tied | quantization_config | {"quant_method": "gptq"} | quantization_config is
            llama-tied | eos_token_id | [1, "2"] | eos_token_id is [1,"2"], expected a token id
            qwen2      | layer_types | ["full_attention"] | for each of the 2 layers
            qwen2      | layer_types | ["full_attention", "chunked_attention"] | for each of the 2 layers
            qwen3      | layer_types | ["full_attention", "sliding_attention"] | where no sliding window is used
            gpt2       | activation_function | "gelu" | activation_function is "gelu"; supported: gelu_new
            gpt2       | scale_attn_by_inverse_layer_idx | 1 | scale_attn_by_inverse_layer_idx is 1, expected true or false
            gpt2       | n_head | 3 | n_embd 8 is not a multiple of n_head 3
            """)
    void namesWhatItDoesNotSupport(String model, String field, String value, String message) {
        assertThatThrownBy(() -> with(model, field, value))
                .isInstanceOf(CalmException.class)
                .hasMessageStartingWith("config.json")
                .hasMessageContaining(message);
    }

    /** Fields of other families: transformers loads the model and does not look at them, so they change nothing; they are named. */
    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            llama-tied | sliding_window | 8
            llama-tied | layer_types | ["sliding_attention", "full_attention"]
            llama-tied | attn_logit_softcapping | 50.0
            llama-tied | final_logit_softcapping | 30
            llama-tied | embedding_multiplier | 12.0
            llama-tied | logits_scaling | 8
            llama-tied | no_rope_layers | [1, 0]
            mistral    | attention_bias | true
            mistral    | mlp_bias | true
            qwen2      | attention_bias | false
            qwen2      | mlp_bias | true
            qwen2      | use_mrope | true
            qwen3      | mlp_bias | true
            gpt2       | add_cross_attention | true
            gpt2       | logit_scale | 0.5
            """)
    void fieldsOfOtherFamiliesChangeNothing(String model, String field, String value) {
        ModelConfig plain = ConfigReader.of(OracleModel.config(model), "config.json");
        ModelConfig other = with(model, field, value);
        assertThat(ConfigReader.ignored(other)).containsExactly(field);
        assertThat(ConfigReader.ignored(plain)).isEmpty();
        assertThat(other).usingRecursiveComparison().ignoringFields("json").isEqualTo(plain);
    }

    /** Ids that no token has. */
    @Test
    void negativeIds() {
        assertThat(with("llama-tied", "eos_token_id", "-1").vocabulary().eos()).isEmpty();
        assertThat(with("llama-tied", "eos_token_id", "[-1, 2]").vocabulary().eos())
                .containsExactly(2);
        assertThat(with("llama-tied", "sliding_window", "8").attention().windows())
                .containsOnly(0);
        assertThat(ConfigReader.ignored(with("llama-tied", "pretraining_tp", "4")))
                .isEmpty();
    }

    /** What transformers' classes have where a field is missing, and what null means there. */
    @Test
    void missingFields() {
        assertThat(with("mistral", "sliding_window", null).attention().windows())
                .containsExactly(4096, 4096);
        assertThat(with("mistral", "sliding_window", "null").attention().windows())
                .containsExactly(0, 0);
        assertThat(with("mistral", "num_key_value_heads", "null").attention().keyValueHeads())
                .isEqualTo(4);
        assertThat(with("mistral", "layer_types", "[\"full_attention\", \"sliding_attention\"]")
                        .attention()
                        .windows())
                .containsExactly(0, 5);
        assertThat(with("llama-tied", "num_key_value_heads", null).attention().keyValueHeads())
                .isEqualTo(4);
        assertThat(with("llama-tied", "eos_token_id", null).vocabulary().eos()).containsExactly(2);
        assertThat(with("llama-tied", "eos_token_id", "null").vocabulary().eos())
                .isEmpty();
        assertThat(with("mistral", "eos_token_id", null).vocabulary().eos()).containsExactly(2);
        assertThat(with("qwen2", "eos_token_id", null).vocabulary().eos()).isEmpty();
        assertThat(with("qwen3", "eos_token_id", null).vocabulary().eos()).isEmpty();
        // 50256 in GPT-2, where the vocabulary has it.
        assertThat(with("gpt2", "eos_token_id", null).vocabulary().eos()).isEmpty();
        assertThat(ConfigReader.of(
                                OracleModel.config("gpt2")
                                        .put("vocab_size", 50257)
                                        .without("eos_token_id"),
                                "")
                        .vocabulary()
                        .eos())
                .containsExactly(50256);
        assertThat(with("llama-tied", "tie_word_embeddings", null).vocabulary().tied())
                .isFalse();
        assertThat(with("llama-tied", "max_position_embeddings", null)
                        .positions()
                        .limit())
                .isEqualTo(2048);
        assertThat(with("qwen3", "head_dim", null).attention().headDim()).isEqualTo(128);
        assertThat(with("qwen2", "layer_types", "[\"sliding_attention\", \"full_attention\"]")
                        .attention()
                        .windows())
                .containsExactly(3, 0);
        assertThat(with("qwen2", "use_sliding_window", "false").attention().windows())
                .containsExactly(0, 0);
        assertThat(with("qwen2", "attention_bias", "true").biases())
                .containsExactlyInAnyOrder(Projection.Q, Projection.K, Projection.V);
        assertThat(with("gpt2", "n_inner", null).feedForward().size()).isEqualTo(32);
        assertThat(with("gpt2", "scale_attn_by_inverse_layer_idx", "true")
                        .attention()
                        .scales())
                .containsExactly(0.5, 0.25);
        assertThat(with("gpt2", "n_positions", null).positions().limit()).isEqualTo(1024);
        assertThat(with("gpt2", "tie_word_embeddings", null).vocabulary().tied())
                .isTrue();
    }

    /** Stretched positions reach as far as they are stretched, whatever max_position_embeddings still says. */
    @Test
    void stretchedPositions() {
        assertThat(with("llama-tied", "rope_scaling", "{\"type\": \"linear\", \"factor\": 2.5}")
                        .positions()
                        .limit())
                .isEqualTo(160);
        assertThat(with(
                                "qwen2",
                                "rope_scaling",
                                "{\"type\": \"yarn\", \"factor\": 4.0, \"original_max_position_embeddings\": 32}")
                        .positions()
                        .limit())
                .isEqualTo(128);
        assertThat(with(
                                "qwen2",
                                "rope_scaling",
                                "{\"type\": \"yarn\", \"factor\": 4.0, \"original_max_position_embeddings\": 8}")
                        .positions()
                        .limit())
                .isEqualTo(64);
    }

    /** Sizes that are possible each but not together, and those that no machine here has. */
    @Test
    void sizesBeyondReason() {
        assertThatThrownBy(() -> Llama.config(1 << 24, 1 << 24, 1 << 24, 4096, 1 << 13, 1, 64, 0))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("parameters; supported: up to 1e+13");
        ModelConfig large = Llama.config(1 << 20, 1 << 14, 1 << 16, 200, 128, 128, 64, 0);
        try (Backend backend = new SimdBackend(1)) {
            assertThatThrownBy(() -> Parameters.random(backend, large, 1))
                    .isInstanceOf(CalmException.class)
                    .hasMessageContaining("GB of memory are needed at once");
        }
    }

    /** Whatever stands in a field: a model, or an error with its name; and no memory of the size that it says before the weights agree. */
    @Tag("slow")
    @ParameterizedTest
    @MethodSource("models")
    void mutatedFields(String model) {
        Random random = new Random(model.hashCode());
        int refused = 0;
        try (Backend backend = new SimdBackend(1)) {
            for (int i = 0; i < 1500; i++) {
                ObjectNode json = OracleModel.config(model);
                for (int change = 0; change <= random.nextInt(3); change++) {
                    mutate(json, random);
                }
                try {
                    ModelConfig config = ConfigReader.of(json, "config.json");
                    Parameters.open(backend, config, OracleModel.folder(model)).close();
                } catch (CalmException e) {
                    assertThat(e.kind()).isEqualTo(CalmException.Kind.BAD_INPUT);
                    assertThat(e.getMessage()).doesNotContain("\n").hasSizeLessThan(400);
                    refused++;
                }
            }
        }
        assertThat(refused).isBetween(200, 1490);
    }

    public static void mutate(ObjectNode json, Random random) {
        List<String> names = new ArrayList<>();
        json.fieldNames().forEachRemaining(names::add);
        names.addAll(List.of(
                "rope_scaling", "rope_parameters", "layer_types", "head_dim", "sliding_window", "quantization_config"));
        String name = names.get(random.nextInt(names.size()));
        if (json.get(name) instanceof ObjectNode object && !object.isEmpty() && random.nextBoolean()) {
            mutate(object, random);
        } else if (random.nextInt(8) == 0) {
            json.remove(name);
        } else {
            json.set(name, json(STRANGE.get(random.nextInt(STRANGE.size()))));
        }
    }

    static List<String> models() {
        return OracleModel.NAMES;
    }

    @Tag("slow")
    @ParameterizedTest
    @MethodSource("models")
    void mutatedBytes(String model) throws IOException {
        byte[] valid = Files.readAllBytes(OracleModel.folder(model).resolve("config.json"));
        Random random = new Random(model.hashCode());
        Path file = folder.resolve("config.json");
        for (int i = 0; i < 300; i++) {
            byte[] bytes = valid.clone();
            for (int change = 0; change <= random.nextInt(4); change++) {
                byte[] alphabet = "{}[]\",:0123456789-.eE\\n\u0000\u00ff".getBytes(StandardCharsets.ISO_8859_1);
                bytes[random.nextInt(bytes.length)] = alphabet[random.nextInt(alphabet.length)];
            }
            Files.write(file, i % 10 == 0 ? Arrays.copyOf(bytes, random.nextInt(bytes.length)) : bytes);
            try {
                ConfigReader.read(file);
            } catch (CalmException e) {
                assertThat(e.kind()).isEqualTo(CalmException.Kind.BAD_INPUT);
            }
        }
    }

    @Test
    void countsParameters() {
        // Llama 3 8B, of which Meta says 8.03 billion.
        ModelConfig llama3 = Llama.config(128256, 4096, 14336, 32, 32, 8, 8192, 128001);
        assertThat(llama3.parameters() + 128256L * 4096).isEqualTo(8_030_261_248L);
    }
}
