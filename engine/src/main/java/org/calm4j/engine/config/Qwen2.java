package org.calm4j.engine.config;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/** Yang et al. 2024: biases on queries, keys and values; a sliding window in later layers, if configured. */
final class Qwen2 implements Family {
    @Override
    public String modelType() {
        return "qwen2";
    }

    @Override
    public WeightLayout layout() {
        return CommonFields.LAYOUT;
    }

    @Override
    public TokenizerClass tokenizer() {
        return new TokenizerClass("Qwen2Tokenizer", "<|endoftext|>");
    }

    @Override
    public ModelConfig read(ConfigFields fields) {
        CommonFields common = new CommonFields(fields);
        int window = fields.flag("use_sliding_window", false) ? common.window() : 0;
        List<Integer> windows = common.windows(window, fields.countOr("max_window_layers", 28));
        ModelConfig.Attention attention = common.attention(0, 32, windows, false);
        return new ModelConfig(
                common.hiddenSize(),
                common.layers(),
                common.vocabulary(false, fields.ids("eos_token_id")),
                common.rotary(attention.headDim(), 32768),
                attention,
                common.swiGlu(),
                common.rmsNorm(),
                Set.of(Projection.Q, Projection.K, Projection.V),
                common.initialization(),
                layout(),
                fields.json());
    }

    @Override
    public List<String> ignored(ConfigFields fields) {
        List<String> ignored = new ArrayList<>();
        if (fields.has("attention_bias") && fields.isNeutral("attention_bias", Set.of())) {
            ignored.add("attention_bias");
        }
        if (!fields.isNeutral("mlp_bias", Set.of())) {
            ignored.add("mlp_bias");
        }
        return ignored;
    }
}
