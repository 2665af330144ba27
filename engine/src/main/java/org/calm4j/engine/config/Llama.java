package org.calm4j.engine.config;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** Touvron et al. 2023: RMSNorm before each part, rotary positions, SwiGLU. */
public final class Llama implements Family {
    Llama() {}

    @Override
    public String modelType() {
        return "llama";
    }

    @Override
    public WeightLayout layout() {
        return CommonFields.LAYOUT;
    }

    @Override
    public TokenizerClass tokenizer() {
        return new TokenizerClass("LlamaTokenizer", "</s>");
    }

    @Override
    public ModelConfig read(ConfigFields fields) {
        CommonFields common = new CommonFields(fields);
        ModelConfig.Attention attention = common.attention(0, 0, common.noWindows(), false);
        Set<Projection> biases = new HashSet<>();
        biases.addAll(fields.flag("attention_bias", false) ? CommonFields.ATTENTION : Set.of());
        biases.addAll(fields.flag("mlp_bias", false) ? CommonFields.FEED_FORWARD : Set.of());
        return new ModelConfig(
                common.hiddenSize(),
                common.layers(),
                common.vocabulary(false, common.ends(2)),
                common.rotary(attention.headDim(), 2048),
                attention,
                common.swiGlu(),
                common.rmsNorm(),
                biases,
                common.initialization(),
                layout(),
                fields.json());
    }

    @Override
    public List<String> ignored(ConfigFields fields) {
        List<String> ignored = new ArrayList<>();
        boolean unwanted = fields.json().path("use_sliding_window").isBoolean()
                && fields.isNeutral("use_sliding_window", Set.of());
        if (fields.has("sliding_window") && !unwanted) {
            ignored.add("sliding_window");
        }
        if (fields.json().path("layer_types").valueStream().anyMatch(each -> !each.asText()
                .equals("full_attention"))) {
            ignored.add("layer_types");
        }
        return ignored;
    }

    /** A new model, with embeddings and head tied. */
    public static ModelConfig config(
            int vocabSize,
            int hiddenSize,
            int intermediateSize,
            int layers,
            int heads,
            int keyValueHeads,
            int maxPositions,
            int eos) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.putArray("architectures").add("LlamaForCausalLM");
        json.put("model_type", "llama");
        json.put("vocab_size", vocabSize);
        json.put("hidden_size", hiddenSize);
        json.put("intermediate_size", intermediateSize);
        json.put("num_hidden_layers", layers);
        json.put("num_attention_heads", heads);
        json.put("num_key_value_heads", keyValueHeads);
        json.put("hidden_act", "silu");
        json.put("max_position_embeddings", maxPositions);
        json.put("initializer_range", 0.02);
        json.put("rms_norm_eps", 1e-6);
        json.put("rope_theta", 10000.0);
        json.put("tie_word_embeddings", true);
        json.put("eos_token_id", eos);
        json.put("torch_dtype", "float32");
        return ConfigReader.of(json, "config.json");
    }
}
