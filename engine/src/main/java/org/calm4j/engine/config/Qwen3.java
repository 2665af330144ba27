package org.calm4j.engine.config;

import java.util.List;
import java.util.Set;

/** Yang et al. 2025: RMSNorm on each head of queries and keys, no biases. */
final class Qwen3 implements Family {
    @Override
    public String modelType() {
        return "qwen3";
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
        ModelConfig.Attention attention = common.attention(128, 32, windows, true);
        return new ModelConfig(
                common.hiddenSize(),
                common.layers(),
                common.vocabulary(false, fields.ids("eos_token_id")),
                common.rotary(attention.headDim(), 32768),
                attention,
                common.swiGlu(),
                common.rmsNorm(),
                fields.flag("attention_bias", false) ? CommonFields.ATTENTION : Set.of(),
                common.initialization(),
                layout(),
                fields.json());
    }

    @Override
    public List<String> ignored(ConfigFields fields) {
        return fields.isNeutral("mlp_bias", Set.of()) ? List.of() : List.of("mlp_bias");
    }
}
