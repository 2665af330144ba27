package org.calm4j.engine.config;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * The fields and tensor names that most families share, under transformers' names. A family reads its own
 * differences itself.
 */
record CommonFields(ConfigFields fields) {
    static final int MAX_LAYERS = 4096;
    static final int MAX_HEADS = 1 << 14;
    static final int MAX_HEAD_DIM = 1 << 14;

    /** Names for one function, up to the digits of its constant. */
    private static final List<String> TANH_GELU =
            List.of("gelu_new", "gelu_pytorch_tanh", "gelu_python_tanh", "gelu_fast", "gelu_accurate");

    static final Set<Projection> ATTENTION = Set.of(Projection.Q, Projection.K, Projection.V, Projection.O);
    static final Set<Projection> FEED_FORWARD = Set.of(Projection.GATE, Projection.UP, Projection.DOWN);

    /** Separate queries, keys and values, and a gated feed-forward part. */
    static final WeightLayout LAYOUT = new WeightLayout(
            "model.",
            "model.embed_tokens.weight",
            null,
            "model.layers.",
            new WeightLayout.Block(
                    "input_layernorm",
                    "post_attention_layernorm",
                    "self_attn.q_norm",
                    "self_attn.k_norm",
                    Map.of(
                            Projection.Q, "self_attn.q_proj",
                            Projection.K, "self_attn.k_proj",
                            Projection.V, "self_attn.v_proj",
                            Projection.O, "self_attn.o_proj",
                            Projection.GATE, "mlp.gate_proj",
                            Projection.UP, "mlp.up_proj",
                            Projection.DOWN, "mlp.down_proj")),
            "model.norm",
            Pattern.compile("(layers\\.\\d+\\.self_attn\\.)?rotary_emb\\.inv_freq"),
            false);

    int layers() {
        return fields.extent("num_hidden_layers", MAX_LAYERS);
    }

    int hiddenSize() {
        return fields.extent("hidden_size");
    }

    /** @param tied the value if the field is missing */
    ModelConfig.Vocabulary vocabulary(boolean tied, List<Integer> ends) {
        return new ModelConfig.Vocabulary(fields.extent("vocab_size"), fields.flag("tie_word_embeddings", tied), ends);
    }

    /** Token ids that end a sequence; missing is not null here. */
    List<Integer> ends(int otherwise) {
        boolean given = fields.json().has("eos_token_id") || otherwise >= fields.extent("vocab_size");
        return given ? fields.ids("eos_token_id") : List.of(otherwise);
    }

    /**
     * Rotary positions.
     *
     * @param otherwise the limit if the field is missing
     */
    ModelConfig.Positions rotary(int headDim, int otherwise) {
        int limit = fields.extentOr("max_position_embeddings", otherwise);
        Rope rope = Rope.of(fields, headDim, limit);
        return new ModelConfig.Positions(Math.max(limit, rope.reach()), rope);
    }

    /**
     * @param headDim the value if the field is missing; 0 for an even share of the hidden size
     * @param keyValueHeads the value if the field is missing; 0 for as many as query heads
     */
    ModelConfig.Attention attention(int headDim, int keyValueHeads, List<Integer> windows, boolean headNorms) {
        int hidden = hiddenSize();
        int heads = fields.extent("num_attention_heads", MAX_HEADS);
        // Null means as many as queries; missing means the default.
        boolean missing = !fields.json().has("num_key_value_heads") && keyValueHeads > 0;
        int groups = missing ? keyValueHeads : fields.extentOr("num_key_value_heads", heads);
        if (heads % groups != 0) {
            throw fields.bad("num_attention_heads " + heads + " is not a multiple of num_key_value_heads " + groups);
        }
        int share = headDim > 0 ? headDim : hidden / heads;
        int size = fields.has("head_dim") ? fields.extent("head_dim", MAX_HEAD_DIM) : share;
        if (size < 1 || size > MAX_HEAD_DIM) {
            throw fields.bad("hidden_size " + hidden + " over num_attention_heads " + heads
                    + " does not give a head size from 1 to " + MAX_HEAD_DIM);
        }
        List<Double> scales = Collections.nCopies(layers(), 1 / Math.sqrt(size));
        return new ModelConfig.Attention(heads, groups, size, windows, scales, headNorms);
    }

    /** For {@link #attention}: no windows. */
    List<Integer> noWindows() {
        return Collections.nCopies(layers(), 0);
    }

    /**
     * For {@link #attention}: windows as in {@code layer_types}, or else in all layers but the first ones.
     *
     * @param window 0 for none
     * @param full the number of first layers without a window
     */
    List<Integer> windows(int window, int full) {
        int layers = layers();
        List<String> types = layerTypes(layers);
        List<Integer> windows = new ArrayList<>();
        for (int l = 0; l < layers; l++) {
            boolean slides =
                    types.isEmpty() ? window > 0 && l >= full : types.get(l).equals("sliding_attention");
            if (slides && window == 0) {
                throw fields.unsupported("layer_types", "full_attention where no sliding window is used");
            }
            windows.add(slides ? window : 0);
        }
        return List.copyOf(windows);
    }

    /** Null means none; a missing field has transformers' default. */
    int window() {
        return fields.json().has("sliding_window") ? fields.extentOr("sliding_window", 0) : 4096;
    }

    private List<String> layerTypes(int layers) {
        List<String> types = fields.texts("layer_types");
        if (types == null) {
            return List.of();
        }
        if (types.size() != layers
                || !Set.of("full_attention", "sliding_attention").containsAll(types)) {
            throw fields.bad(
                    "layer_types must have full_attention or sliding_attention for each of the " + layers + " layers");
        }
        return types;
    }

    ModelConfig.FeedForward swiGlu() {
        String activation = fields.text("hidden_act", "silu");
        if (!activation.equals("silu") && !activation.equals("swish")) {
            throw fields.unsupported("hidden_act", "silu");
        }
        return new ModelConfig.FeedForward(fields.extent("intermediate_size"), ModelConfig.Activation.SWIGLU);
    }

    /**
     * @param field that names the function; the tanh form if it is missing
     * @param size F
     */
    ModelConfig.FeedForward gelu(String field, int size) {
        if (!TANH_GELU.contains(fields.text(field, TANH_GELU.getFirst()))) {
            throw fields.unsupported(field, String.join(", ", TANH_GELU));
        }
        return new ModelConfig.FeedForward(size, ModelConfig.Activation.GELU);
    }

    ModelConfig.Norm rmsNorm() {
        return new ModelConfig.Norm(ModelConfig.NormKind.RMS_NORM, fields.positive("rms_norm_eps", 1e-6));
    }

    /** One deviation for all matrices; the embedding of a padding token is zero. */
    ModelConfig.Initialization initialization() {
        double deviation = fields.positive("initializer_range", 0.02);
        return new ModelConfig.Initialization(
                deviation, deviation, fields.json().path("pad_token_id").asInt(-1));
    }
}
