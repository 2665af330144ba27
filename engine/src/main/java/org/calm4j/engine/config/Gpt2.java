package org.calm4j.engine.config;

import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.IntStream;

/**
 * Radford et al. 2019: LayerNorm, learned positions, GELU, biases everywhere, weights stored as (I,O), queries, keys and values in one
 * product.
 */
final class Gpt2 implements Family {
    private static final WeightLayout LAYOUT = new WeightLayout(
            "transformer.",
            "transformer.wte.weight",
            "transformer.wpe.weight",
            "transformer.h.",
            new WeightLayout.Block(
                    "ln_1",
                    "ln_2",
                    null,
                    null,
                    Map.of(
                            Projection.QKV, "attn.c_attn",
                            Projection.O, "attn.c_proj",
                            Projection.UP, "mlp.c_fc",
                            Projection.DOWN, "mlp.c_proj")),
            "transformer.ln_f",
            Pattern.compile("h\\.\\d+\\.attn\\.(bias|masked_bias)"),
            true);

    @Override
    public String modelType() {
        return "gpt2";
    }

    @Override
    public WeightLayout layout() {
        return LAYOUT;
    }

    @Override
    public TokenizerClass tokenizer() {
        return new TokenizerClass("GPT2Tokenizer", "<|endoftext|>");
    }

    @Override
    public ModelConfig read(ConfigFields fields) {
        CommonFields common = new CommonFields(fields);
        int hidden = fields.extent("n_embd", 1 << 20);
        int layers = fields.extent("n_layer", CommonFields.MAX_LAYERS);
        return new ModelConfig(
                hidden,
                layers,
                common.vocabulary(true, common.ends(50256)),
                new ModelConfig.Positions(fields.extentOr("n_positions", 1024), null),
                attention(fields, hidden, layers),
                common.gelu("activation_function", fields.extentOr("n_inner", 4 * hidden)),
                new ModelConfig.Norm(ModelConfig.NormKind.LAYER_NORM, fields.positive("layer_norm_epsilon", 1e-5)),
                LAYOUT.projections(),
                initialization(fields, layers),
                LAYOUT,
                fields.json());
    }

    private static ModelConfig.Attention attention(ConfigFields fields, int hidden, int layers) {
        int heads = fields.extent("n_head", CommonFields.MAX_HEADS);
        if (hidden % heads != 0 || hidden / heads > CommonFields.MAX_HEAD_DIM) {
            throw fields.bad("n_embd " + hidden + " is not a multiple of n_head " + heads + " with heads of up to "
                    + CommonFields.MAX_HEAD_DIM);
        }
        int size = hidden / heads;
        double scale = fields.flag("scale_attn_weights", true) ? 1 / Math.sqrt(size) : 1;
        boolean byLayer = fields.flag("scale_attn_by_inverse_layer_idx", false);
        List<Double> scales = IntStream.range(0, layers)
                .mapToObj(l -> byLayer ? scale / (l + 1) : scale)
                .toList();
        return new ModelConfig.Attention(heads, heads, size, Collections.nCopies(layers, 0), scales, false);
    }

    /** Layers that add to the residual stream begin smaller by the root of their number (2.3). */
    private static ModelConfig.Initialization initialization(ConfigFields fields, int layers) {
        double deviation = fields.positive("initializer_range", 0.02);
        return new ModelConfig.Initialization(deviation, deviation / Math.sqrt(2 * layers), -1);
    }

    @Override
    public List<String> ignored(ConfigFields fields) {
        return fields.isNeutral("mlp_bias", Set.of()) ? List.of() : List.of("mlp_bias");
    }
}
