package org.calm4j.engine.model;

import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;

/**
 * What the fields of a {@code config.json} mean in each family; a missing field has the value that transformers gives it, sizes apart. A
 * field that would change the arithmetic and is not supported is an error that names it.
 */
record ConfigReader(ConfigFields fields) {
    private static final int MOST_LAYERS = 4096;
    private static final int MOST_HEADS = 1 << 14;
    private static final int LARGEST_HEAD = 1 << 14;
    /** Names for one function, up to the digits of its constant. */
    private static final List<String> TANH_GELU =
            List.of("gelu_new", "gelu_pytorch_tanh", "gelu_python_tanh", "gelu_fast", "gelu_accurate");

    private static final Set<Projection> ATTENTION = EnumSet.of(Projection.Q, Projection.K, Projection.V, Projection.O);
    private static final Set<Projection> FEED_FORWARD = EnumSet.of(Projection.GATE, Projection.UP, Projection.DOWN);

    /** Fields of other families, which transformers does not look at in these, with the values that say nothing. */
    private static final Map<String, Set<String>> OF_OTHERS = ofOthers();

    private static Map<String, Set<String>> ofOthers() {
        Map<String, Set<String>> fields = new LinkedHashMap<>();
        for (String name : List.of(
                "attn_logit_softcapping",
                "final_logit_softcapping",
                "query_pre_attn_scalar",
                "clip_qkv",
                "qkv_clip",
                "use_qk_norm",
                "no_rope_layers",
                "use_mrope",
                "add_cross_attention")) {
            fields.put(name, Set.of());
        }
        for (String name :
                List.of("embedding_multiplier", "residual_multiplier", "logits_scaling", "logit_scale", "scale_emb")) {
            fields.put(name, Set.of("1", "1.0"));
        }
        return fields;
    }

    /** Fields that say something, but nothing that transformers or we use in this family. */
    List<String> ignored() {
        List<String> ignored = new ArrayList<>();
        OF_OTHERS.forEach((name, neutral) -> {
            boolean empty = fields.json().path(name).isContainerNode()
                    && fields.json().path(name).isEmpty();
            if (!empty && !fields.isNeutral(name, neutral)) {
                ignored.add(name);
            }
        });
        String type = fields.text("model_type", "");
        boolean unwanted = fields.json().path("use_sliding_window").isBoolean()
                && fields.isNeutral("use_sliding_window", Set.of());
        if (type.equals("llama") && fields.has("sliding_window") && !unwanted) {
            ignored.add("sliding_window");
        }
        if (type.equals("llama")
                && fields.json().path("layer_types").valueStream().anyMatch(each -> !each.asText()
                        .equals("full_attention"))) {
            ignored.add("layer_types");
        }
        boolean biased = !fields.isNeutral("attention_bias", Set.of());
        if (type.equals("mistral") && biased || type.equals("qwen2") && fields.has("attention_bias") && !biased) {
            ignored.add("attention_bias");
        }
        if (!type.equals("llama") && !fields.isNeutral("mlp_bias", Set.of())) {
            ignored.add("mlp_bias");
        }
        return ignored;
    }

    ModelConfig read() {
        for (String name : List.of("quantization_config", "is_encoder_decoder", "pruned_heads")) {
            boolean empty = fields.json().path(name).isContainerNode()
                    && fields.json().path(name).isEmpty();
            if (!empty) {
                fields.mustBeNeutral(name);
            }
        }
        String type = fields.text("model_type", "");
        return switch (type) {
            case "llama" -> llama();
            case "mistral" -> mistral();
            case "qwen2" -> qwen(0, EnumSet.of(Projection.Q, Projection.K, Projection.V), false);
            case "qwen3" -> qwen(128, fields.flag("attention_bias", false) ? ATTENTION : Set.of(), true);
            case "gpt2" -> gpt2();
            default -> throw fields.unsupported("model_type", "llama, mistral, qwen2, qwen3, gpt2");
        };
    }

    private ModelConfig llama() {
        Set<Projection> biases = EnumSet.noneOf(Projection.class);
        biases.addAll(fields.flag("attention_bias", false) ? ATTENTION : Set.of());
        biases.addAll(fields.flag("mlp_bias", false) ? FEED_FORWARD : Set.of());
        return llamaLike(0, 0, 2048, Collections.nCopies(layers(), 0), biases, false, ends(2));
    }

    private ModelConfig mistral() {
        return llamaLike(0, 8, 131072, windows(window(), 0), Set.of(), false, ends(2));
    }

    private ModelConfig qwen(int headDim, Set<Projection> biases, boolean headNorms) {
        int window = fields.flag("use_sliding_window", false) ? window() : 0;
        return llamaLike(
                headDim,
                32,
                32768,
                windows(window, fields.countOr("max_window_layers", 28)),
                biases,
                headNorms,
                fields.ids("eos_token_id"));
    }

    /** Null says none; missing says what transformers' classes have then. */
    private int window() {
        return fields.json().has("sliding_window") ? fields.extentOr("sliding_window", 0) : 4096;
    }

    /** Token ids that end a sequence; missing is not null here either. */
    private List<Integer> ends(int otherwise) {
        boolean given = fields.json().has("eos_token_id") || otherwise >= fields.extent("vocab_size");
        return given ? fields.ids("eos_token_id") : List.of(otherwise);
    }

    /**
     * Per layer: as {@code layer_types} says, or else in the layers behind the first ones.
     *
     * @param full so many first layers see everything
     */
    private List<Integer> windows(int window, int full) {
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

    /**
     * @param headDim where the field is missing; 0 for an even share of the hidden size
     * @param keyValueHeads where the field is missing; 0 for as many as there are query heads
     */
    private ModelConfig llamaLike(
            int headDim,
            int keyValueHeads,
            int maxPositions,
            List<Integer> windows,
            Set<Projection> biases,
            boolean headNorms,
            List<Integer> ends) {
        String activation = fields.text("hidden_act", "silu");
        if (!activation.equals("silu") && !activation.equals("swish")) {
            throw fields.unsupported("hidden_act", "silu");
        }
        int hidden = fields.extent("hidden_size");
        int heads = fields.extent("num_attention_heads", MOST_HEADS);
        // Null means as many as queries; missing means the default.
        boolean missing = !fields.json().has("num_key_value_heads") && keyValueHeads > 0;
        int groups = missing ? keyValueHeads : fields.extentOr("num_key_value_heads", heads);
        if (heads % groups != 0) {
            throw fields.bad("num_attention_heads " + heads + " is no multiple of num_key_value_heads " + groups);
        }
        int share = headDim > 0 ? headDim : hidden / heads;
        int size = fields.has("head_dim") ? fields.extent("head_dim", LARGEST_HEAD) : share;
        if (size < 1 || size > LARGEST_HEAD) {
            throw fields.bad("hidden_size " + hidden + " over num_attention_heads " + heads
                    + " gives no head size from 1 to " + LARGEST_HEAD);
        }
        int positions = fields.extentOr("max_position_embeddings", maxPositions);
        Rope rope = Rope.of(fields, size, positions);
        return new ModelConfig(
                Family.LLAMA,
                fields.extent("vocab_size"),
                hidden,
                fields.extent("intermediate_size"),
                layers(),
                heads,
                groups,
                size,
                fields.positive("rms_norm_eps", 1e-6),
                rope,
                windows,
                headNorms,
                biases,
                Collections.nCopies(layers(), 1 / Math.sqrt(size)),
                Math.max(positions, rope.reach()),
                fields.flag("tie_word_embeddings", false),
                fields.positive("initializer_range", 0.02),
                ends,
                fields.json());
    }

    private int layers() {
        return fields.extent("num_hidden_layers", MOST_LAYERS);
    }

    private ModelConfig gpt2() {
        if (!TANH_GELU.contains(fields.text("activation_function", "gelu_new"))) {
            throw fields.unsupported("activation_function", String.join(", ", TANH_GELU));
        }
        int hidden = fields.extent("n_embd", 1 << 20);
        int heads = fields.extent("n_head", MOST_HEADS);
        if (hidden % heads != 0 || hidden / heads > LARGEST_HEAD) {
            throw fields.bad("n_embd " + hidden + " is no multiple of n_head " + heads + ", or a large one");
        }
        int layers = fields.extent("n_layer", MOST_LAYERS);
        int size = hidden / heads;
        double scale = fields.flag("scale_attn_weights", true) ? 1 / Math.sqrt(size) : 1;
        boolean byLayer = fields.flag("scale_attn_by_inverse_layer_idx", false);
        List<Double> scales = IntStream.range(0, layers)
                .mapToObj(l -> byLayer ? scale / (l + 1) : scale)
                .toList();
        return new ModelConfig(
                Family.GPT2,
                fields.extent("vocab_size"),
                hidden,
                fields.extentOr("n_inner", 4 * hidden),
                layers,
                heads,
                heads,
                size,
                fields.positive("layer_norm_epsilon", 1e-5),
                null,
                Collections.nCopies(layers, 0),
                false,
                Family.GPT2.projections(),
                scales,
                fields.extentOr("n_positions", 1024),
                fields.flag("tie_word_embeddings", true),
                fields.positive("initializer_range", 0.02),
                ends(50256),
                fields.json());
    }
}
