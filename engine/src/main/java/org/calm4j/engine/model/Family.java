package org.calm4j.engine.model;

import java.util.Arrays;
import java.util.Collections;
import java.util.EnumMap;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * The two schools among the families: how Hugging Face names a model's tensors, and what follows from the school alone. Everything else is
 * data of {@link ModelConfig}.
 */
public enum Family {
    /** Touvron et al. 2023, and with it Mistral and Qwen: RMSNorm, rotary positions, SwiGLU. */
    LLAMA(
            "model.",
            "embed_tokens",
            null,
            "layers.",
            "input_layernorm",
            "post_attention_layernorm",
            "norm",
            "(layers\\.\\d+\\.self_attn\\.)?rotary_emb\\.inv_freq",
            Map.of(
                    Projection.Q,
                    "self_attn.q_proj",
                    Projection.K,
                    "self_attn.k_proj",
                    Projection.V,
                    "self_attn.v_proj",
                    Projection.O,
                    "self_attn.o_proj",
                    Projection.GATE,
                    "mlp.gate_proj",
                    Projection.UP,
                    "mlp.up_proj",
                    Projection.DOWN,
                    "mlp.down_proj")),
    /** Radford et al. 2019: LayerNorm, learned positions, GELU, biases everywhere, weights stored as (I,O), q, k and v in one product. */
    GPT2(
            "transformer.",
            "wte",
            "wpe",
            "h.",
            "ln_1",
            "ln_2",
            "ln_f",
            "h\\.\\d+\\.attn\\.(bias|masked_bias)",
            Map.of(
                    Projection.QKV,
                    "attn.c_attn",
                    Projection.O,
                    "attn.c_proj",
                    Projection.UP,
                    "mlp.c_fc",
                    Projection.DOWN,
                    "mlp.c_proj"));

    private final String prefix;
    private final String embedding;
    private final String positions;
    private final String layers;
    private final String norm1;
    private final String norm2;
    private final String norm;
    private final Pattern buffer;
    private final Map<Projection, String> projections;

    Family(
            String prefix,
            String embedding,
            String positions,
            String layers,
            String norm1,
            String norm2,
            String norm,
            String buffer,
            Map<Projection, String> projections) {
        this.prefix = prefix;
        this.embedding = prefix + embedding + ".weight";
        this.positions = positions == null ? null : prefix + positions + ".weight";
        this.layers = prefix + layers;
        this.norm1 = norm1;
        this.norm2 = norm2;
        this.norm = prefix + norm;
        this.buffer = Pattern.compile("(" + Pattern.quote(prefix) + ")?" + buffer);
        this.projections = Collections.unmodifiableMap(new EnumMap<>(projections));
    }

    /** What all names but the head's begin with; some files leave it out. */
    String prefix() {
        return prefix;
    }

    String embedding() {
        return embedding;
    }

    /** Null where positions are not learned. */
    String positions() {
        return positions;
    }

    /** Such as {@code model.layers.3.self_attn.q_proj}, without {@code .weight}. */
    String path(int layer, Projection projection) {
        return layers + layer + "." + projections.get(projection);
    }

    /** The name inside a block, such as {@code self_attn.q_proj}. */
    String pathInBlock(Projection projection) {
        return projections.get(projection);
    }

    /** The last part of the name, such as {@code q_proj}: what PEFT calls a target module. */
    String module(Projection projection) {
        String path = projections.get(projection);
        return path.substring(path.indexOf('.') + 1);
    }

    /** Before attention; without {@code .weight}. */
    String norm1(int layer) {
        return layers + layer + "." + norm1;
    }

    /** Before the feed-forward layers. */
    String norm2(int layer) {
        return layers + layer + "." + norm2;
    }

    /** Of the queries' heads, or the keys'. */
    String headNorm(int layer, char which) {
        return layers + layer + ".self_attn." + which + "_norm";
    }

    /** Behind the last layer. */
    String norm() {
        return norm;
    }

    /** The linear layers of a block. */
    public Set<Projection> projections() {
        return projections.keySet();
    }

    /** LayerNorm with biases instead of RMSNorm. */
    boolean layerNorm() {
        return this == GPT2;
    }

    /** Linear weights lie as (I,O), as in the Conv1D of GPT-2, instead of (O,I). */
    boolean transposed() {
        return this == GPT2;
    }

    /** A tensor that old files have although it is no weight: causal masks in GPT-2, rotary frequencies in the others. */
    boolean isBuffer(String name) {
        return buffer.matcher(name).matches();
    }

    /** The same for a model of a family that is not known. */
    public static boolean isBufferOfAny(String name) {
        return Arrays.stream(values()).anyMatch(family -> family.isBuffer(name));
    }
}
