package org.calm4j.engine.config;

import java.util.List;
import java.util.Set;
import java.util.stream.Stream;

/** Jiang et al. 2023: attention in a sliding window, several heads of queries to one of keys. */
final class Mistral implements Family {
    @Override
    public String modelType() {
        return "mistral";
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
        ModelConfig.Attention attention = common.attention(0, 8, common.windows(common.window(), 0), false);
        return new ModelConfig(
                common.hiddenSize(),
                common.layers(),
                common.vocabulary(false, common.ends(2)),
                common.rotary(attention.headDim(), 131072),
                attention,
                common.swiGlu(),
                common.rmsNorm(),
                Set.of(),
                common.initialization(),
                layout(),
                fields.json());
    }

    @Override
    public List<String> ignored(ConfigFields fields) {
        return Stream.of("attention_bias", "mlp_bias")
                .filter(name -> !fields.isNeutral(name, Set.of()))
                .toList();
    }
}
