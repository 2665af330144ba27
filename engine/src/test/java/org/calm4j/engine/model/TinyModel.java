package org.calm4j.engine.model;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Arrays;
import java.util.List;
import org.calm4j.engine.config.ConfigReader;
import org.calm4j.engine.config.Llama;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.random.CounterRandom;
import org.calm4j.engine.tensor.Tensor;

/** Models so small that a test can differentiate them numerically. */
public final class TinyModel {
    private TinyModel() {}

    /** Names for {@link #config(String)}. */
    public static final List<String> KINDS = List.of(
            "llama",
            "llama untied",
            "llama with biases",
            "llama with a part turned",
            "mistral",
            "mistral by layers",
            "qwen2",
            "qwen3",
            "qwen3 with biases",
            "gpt2",
            "gpt2 untied",
            "gpt2 by layer");

    /** Two layers, four heads over two key/value heads, odd sizes elsewhere. */
    public static ModelConfig config(boolean tied) {
        return config(tied ? "llama" : "llama untied");
    }

    /** The same in other families and with other parts. */
    public static ModelConfig config(String kind) {
        ObjectNode json = Llama.config(23, 12, 18, 2, 2, 1, 64, 0).json().deepCopy();
        json.put("tie_word_embeddings", !kind.endsWith("untied"));
        json.put("num_attention_heads", 4);
        json.put("num_key_value_heads", 2);
        json.put("head_dim", 6);
        json.put("initializer_range", 0.3);
        json.put("model_type", kind.split(" ")[0]);
        switch (kind) {
            case "llama with biases" -> {
                json.put("attention_bias", true);
                json.put("mlp_bias", true);
                json.set("rope_scaling", rope("llama3"));
            }
            case "llama with a part turned" -> json.put("partial_rotary_factor", 0.7);
            case "mistral" -> json.put("sliding_window", 3);
            case "mistral by layers" ->
                json.put("sliding_window", 2)
                        .putArray("layer_types")
                        .add("sliding_attention")
                        .add("full_attention");
            case "qwen2" -> {
                json.put("sliding_window", 2);
                json.put("use_sliding_window", true);
                json.put("max_window_layers", 1);
                json.set("rope_parameters", rope("linear"));
            }
            case "qwen3" -> json.set("rope_scaling", rope("yarn"));
            case "qwen3 with biases" -> json.put("attention_bias", true);
            case "gpt2", "gpt2 untied", "gpt2 by layer" -> {
                json.put("scale_attn_by_inverse_layer_idx", kind.endsWith("layer"));
                json.put("n_embd", 12);
                json.put("n_layer", 2);
                json.put("n_head", 3);
                json.put("n_inner", 18);
                json.put("n_positions", 16);
            }
            default -> {}
        }
        return ConfigReader.of(json, "test");
    }

    /** All the parameters of all types. */
    private static ObjectNode rope(String type) {
        ObjectNode rope = JsonNodeFactory.instance.objectNode();
        return rope.put("rope_type", type)
                .put("factor", 4.0)
                .put("low_freq_factor", 1.0)
                .put("high_freq_factor", 4.0)
                .put("original_max_position_embeddings", 16);
    }

    public static CausalLm random(Backend backend, boolean tied) {
        return random(backend, tied ? "llama" : "llama untied");
    }

    /** Biases and norms are random too. */
    public static CausalLm random(Backend backend, String kind) {
        ModelConfig config = config(kind);
        Parameters parameters = Parameters.random(backend, config, 7);
        for (Tensor tensor : parameters.tensors()) {
            if (tensor.rank() == 1) {
                double[] values = new double[(int) tensor.size()];
                long key = CounterRandom.seed(8, tensor.name());
                for (int i = 0; i < values.length; i++) {
                    values[i] = (tensor.name().endsWith(".bias") ? 0 : 1) + 0.2 * CounterRandom.normal(key, i);
                }
                backend.write(tensor, values, values.length);
            }
        }
        return new CausalLm(config, parameters, null);
    }

    public static CausalLm withLora(Backend backend, double dropout) {
        return withLora(backend, "llama", dropout);
    }

    /** With an adapter whose B is not zero. */
    public static CausalLm withLora(Backend backend, String kind, double dropout) {
        ModelConfig config = config(kind);
        return withLora(
                backend,
                kind,
                new LoraSettings(3, 6, dropout, false, config.layout().projections()));
    }

    /** With an adapter whose B is not zero, nor its magnitudes the norms. */
    public static CausalLm withLora(Backend backend, String kind, LoraSettings settings) {
        CausalLm model = random(backend, kind);
        Lora lora = Lora.random(backend, model.config(), settings, 5);
        CausalLm adapted = new CausalLm(model.config(), model.parameters(), lora);
        for (var tensor : lora.slab().tensors()) {
            double[] values = new double[(int) tensor.size()];
            backend.read(values, tensor, values.length);
            long key = CounterRandom.seed(9, tensor.name());
            if (tensor.name().endsWith("lora_B.weight")) {
                Arrays.setAll(values, i -> 0.2 * CounterRandom.normal(key, i));
            } else if (tensor.name().endsWith("magnitude_vector")) {
                Arrays.setAll(values, i -> values[i] * (1 + 0.1 * CounterRandom.normal(key, i)));
            }
            backend.write(tensor, values, values.length);
        }
        lora.changed();
        return adapted;
    }

    /** A document and a prompt with two continuations, one of them a single token. */
    public static PackedBatch batch() {
        PackedBatch batch = new PackedBatch();
        batch.add(new int[] {3, 1, 4, 1, 5, 9, 2}, 2);
        int prompt = batch.prompt(new int[] {6, 5, 3});
        batch.continuation(prompt, new int[] {5, 8, 9, 7});
        batch.continuation(prompt, new int[] {22});
        batch.add(new int[] {11, 12}, 1);
        return batch;
    }

    public static Activations activations(CausalLm model, Activations.Purpose purpose) {
        return new Activations(model.backend(), model.config(), purpose, Activations.Capacity.of(model, 24, 24, 16, 0));
    }
}
