package org.calm4j.engine.model;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.tensor.Tensor;

/**
 * A place in the network whose values and gradients a {@link Tap} can see and change, under TransformerLens' name. Letters as in
 * {@link Tensor}, T the rows of the batch.
 */
public enum HookPoint {
    /** (T,C), of the tokens alone. */
    EMBED("hook_embed"),
    /** (T,C), of learned positions. */
    POS_EMBED("hook_pos_embed"),

    /** (T,C), the stream that a layer reads. */
    RESID_PRE("hook_resid_pre", x -> x.input, d -> d.residual),
    /** (T,H,D), after the norm of heads, before the rotation. */
    Q("attn.hook_q", x -> x.q, d -> d.q),
    /** (T,G,D), after the norm of heads, before the rotation. */
    K("attn.hook_k", x -> x.k, d -> d.k),
    /** (T,G,D). */
    V("attn.hook_v", x -> x.v, d -> d.v),
    /** (T,H,D). */
    ROT_Q("attn.hook_rot_q", x -> x.q, d -> d.q),
    /** (T,G,D). */
    ROT_K("attn.hook_rot_k", x -> x.k, d -> d.k),
    /** (H,T,T) in host memory: probabilities, which attention itself never stores. They are read-only, and not shown in decoding. */
    PATTERN("attn.hook_pattern", x -> null, d -> null),
    /** (T,H,D), the output of the heads, before the output projection. */
    Z("attn.hook_z", x -> x.attention, d -> d.attention),
    /** (T,C), what attention adds to the stream. */
    ATTN_OUT("hook_attn_out", x -> x.middle, d -> d.hidden),
    /** (T,C), the stream between attention and feed-forward. */
    RESID_MID("hook_resid_mid", x -> x.middle, d -> d.residual),
    /** (T,F), the gate; without one, the input of the activation function. */
    MLP_PRE("mlp.hook_pre", x -> x.gate == null ? x.up : x.gate, d -> d.gate == null ? d.up : d.gate),
    /** (T,F), the factor of the activated gate. */
    MLP_PRE_LINEAR("mlp.hook_pre_linear", x -> x.up, d -> d.up),
    /** (T,F), the neurons: the input of the last product. */
    MLP_POST("mlp.hook_post", x -> x.activated, d -> d.activated),
    /** (T,C), what feed-forward adds to the stream. */
    MLP_OUT("hook_mlp_out", x -> null, d -> d.hidden),
    /** (T,C), the stream that a layer leaves. */
    RESID_POST("hook_resid_post", x -> null, d -> d.residual),

    /** (N,V) of the scored rows. They are read-only and have no gradient. */
    LOGITS("logits");

    private final String name;
    private final Function<LayerActivations, Tensor> value;
    private final Function<ActivationGradients, Tensor> gradient;

    HookPoint(String name) {
        this(name, null, null);
    }

    HookPoint(String name, Function<LayerActivations, Tensor> value, Function<ActivationGradients, Tensor> gradient) {
        this.name = name;
        this.value = value;
        this.gradient = gradient;
    }

    /** The value at a point of a layer whose tensor is the layer's own. */
    Tensor value(LayerActivations x) {
        return value.apply(x);
    }

    Tensor gradient(ActivationGradients d) {
        return gradient.apply(d);
    }

    public boolean isOfLayer() {
        return value != null;
    }

    /** Whether a tap may change what it sees. */
    public boolean isChangeable() {
        return this != PATTERN && this != LOGITS;
    }

    /** Such as {@code blocks.3.attn.hook_q}; the layer is used if the point belongs to one. */
    public String name(int layer) {
        return isOfLayer() ? "blocks." + layer + "." + name : name;
    }

    /** Whether models of this shape have the point. */
    public boolean isIn(ModelConfig config) {
        return switch (this) {
            case POS_EMBED -> config.positions().rope() == null;
            case ROT_Q, ROT_K -> config.positions().rope() != null;
            case MLP_PRE_LINEAR -> config.feedForward().activation() == ModelConfig.Activation.SWIGLU;
            default -> true;
        };
    }

    /** The shape for this many rows, all of them scored. */
    public long[] shape(ModelConfig config, int rows) {
        ModelConfig.Attention attention = config.attention();
        return switch (this) {
            case Q, ROT_Q, Z -> new long[] {rows, attention.heads(), attention.headDim()};
            case K, V, ROT_K -> new long[] {rows, attention.keyValueHeads(), attention.headDim()};
            case PATTERN -> new long[] {attention.heads(), rows, rows};
            case MLP_PRE, MLP_PRE_LINEAR, MLP_POST ->
                new long[] {rows, config.feedForward().size()};
            case LOGITS -> new long[] {rows, config.vocabulary().size()};
            default -> new long[] {rows, config.hiddenSize()};
        };
    }

    /** A point of a layer, or outside the layers (layer 0). */
    public record At(HookPoint point, int layer) {
        public String name() {
            return point.name(layer);
        }
    }

    /** All points of a model, in the order of a forward pass. */
    public static List<At> all(ModelConfig config) {
        List<At> all = new ArrayList<>();
        for (HookPoint point : List.of(EMBED, POS_EMBED)) {
            if (point.isIn(config)) {
                all.add(new At(point, 0));
            }
        }
        for (int layer = 0; layer < config.layers(); layer++) {
            for (HookPoint point : values()) {
                if (point.isOfLayer() && point.isIn(config)) {
                    all.add(new At(point, layer));
                }
            }
        }
        all.add(new At(LOGITS, 0));
        return all;
    }
}
