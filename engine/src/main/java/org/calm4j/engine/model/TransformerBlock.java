package org.calm4j.engine.model;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.config.Projection;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.Segments;
import org.calm4j.engine.tensor.Tensor;

/**
 * A layer of the transformer (Vaswani et al. 2017), normed before each part: {@code middle = x + attention(norm1(x))},
 * {@code out = middle + feedForward(norm2(middle))}. A norm begins with the residual join before it: a part's output is
 * written separately, and the next norm adds it to the stream.
 */
final class TransformerBlock {
    private final int layer;
    private final Backend backend;
    private final Norm norm1;
    private final QueriesKeysValues queriesKeysValues;
    /** The norms of each head; null without. */
    private final Norm queryNorm;

    private final Norm keyNorm;
    private final boolean rotary;
    private final double scale;
    private final int window;
    private final AdaptedLinear o;

    private final Norm norm2;
    /** Null for GELU in place of SwiGLU. */
    private final AdaptedLinear gate;

    private final AdaptedLinear up;
    private final AdaptedLinear down;

    /** Points of the stream before attention, including the previous layer's last one. */
    private final List<HookPoint.At> before;
    /** The point of the stream between the parts. */
    private final List<HookPoint.At> between;

    /** @param lora null without an adapter */
    TransformerBlock(ModelConfig config, Parameters parameters, Lora lora, int layer) {
        this.layer = layer;
        backend = parameters.backend();
        Parameters.Layer w = parameters.layer(layer);
        norm1 = Norm.of(backend, w.norm1(), config.norm().epsilon());
        norm2 = Norm.of(backend, w.norm2(), config.norm().epsilon());
        queryNorm = Norm.of(backend, w.queryNorm(), config.norm().epsilon());
        keyNorm = Norm.of(backend, w.keyNorm(), config.norm().epsilon());
        rotary = config.positions().rope() != null;
        scale = config.attention().scales().get(layer);
        window = config.attention().windows().get(layer);
        Map<Projection, AdaptedLinear> linears = new HashMap<>();
        for (Projection p : config.layout().projections()) {
            linears.put(p, new AdaptedLinear(config, parameters, lora, layer, p));
        }
        AdaptedLinear fused = linears.get(Projection.QKV);
        queriesKeysValues = fused != null
                ? new QueriesKeysValues.Fused(backend, fused)
                : new QueriesKeysValues.Apart(
                        linears.get(Projection.Q), linears.get(Projection.K), linears.get(Projection.V));
        o = linears.get(Projection.O);
        gate = linears.get(Projection.GATE);
        up = linears.get(Projection.UP);
        down = linears.get(Projection.DOWN);
        HookPoint.At input = new HookPoint.At(HookPoint.RESID_PRE, layer);
        before = layer == 0 ? List.of(input) : List.of(new HookPoint.At(HookPoint.RESID_POST, layer - 1), input);
        between = List.of(new HookPoint.At(HookPoint.RESID_MID, layer));
    }

    /**
     * Reads the layer's input, sets the layer's activations and out.
     *
     * @param residual what is still to be added to the input; null if that is the residual stream already
     * @param out what is to be added to middle; null if only what the backward pass reads is needed
     */
    void forward(Pass pass, Tensor residual, Tensor out) {
        BatchActivations a = pass.batch();
        LayerActivations x = pass.layer(layer);
        Tensor toJoin = pass.joined(backend, x.input, residual, before);
        norm1.forward(x.norm1, x.mean1, x.rstd1, x.input, toJoin);
        queriesKeysValues.forward(pass, x); // x.rawQ, x.rawK, x.v
        if (queryNorm != null) {
            queryNorm.forward(x.q, null, x.rstdQ, x.rawQ, null);
            keyNorm.forward(x.k, null, x.rstdK, x.rawK, null);
        }
        pass.tap(HookPoint.Q, HookPoint.K, layer);
        pass.tap(HookPoint.V, layer);
        if (rotary) {
            backend.ropeForward(x.q, a.cosine, a.sine, a.positions);
            backend.ropeForward(x.k, a.cosine, a.sine, a.positions);
            pass.tap(HookPoint.ROT_Q, HookPoint.ROT_K, layer);
        }
        Tensor keys = pass.keys(layer, x.k);
        Tensor values = pass.values(layer, x.v);
        backend.attentionForward(x.attention, x.lse, x.q, keys, values, pass.segments(), scale, window);
        pass.tapAttention(backend, layer, scale, window);
        o.forward(pass, x.middle, x.attention);
        pass.tap(HookPoint.ATTN_OUT, layer);

        toJoin = pass.joined(backend, x.middle, x.input, between);
        norm2.forward(x.norm2, x.mean2, x.rstd2, x.middle, toJoin);
        up.forward(pass, x.up, x.norm2);
        if (gate != null) {
            gate.forward(pass, x.gate, x.norm2);
            pass.tap(HookPoint.MLP_PRE, HookPoint.MLP_PRE_LINEAR, layer);
            backend.swiGluForward(x.activated, x.gate, x.up);
        } else {
            pass.tap(HookPoint.MLP_PRE, layer);
            backend.geluForward(x.activated, x.up);
        }
        pass.tap(HookPoint.MLP_POST, layer);
        down.forward(pass, out, x.activated);
        pass.tap(HookPoint.MLP_OUT, layer, out);
    }

    /**
     * The mirror of {@link #forward}, from its last line to its first; the forward line is repeated above each step. The residual stream bypasses each
     * part, so its gradient d.residual, that of {@code middle + out} at the start and that of the input at the end, is only added to.
     */
    void backward(Pass pass) {
        BatchActivations a = pass.batch();
        LayerActivations x = pass.layer(layer);
        ActivationGradients d = pass.d();
        pass.tap(HookPoint.RESID_POST, layer);
        // out = down(activated)
        down.backward(pass, d.activated, pass.branch(backend, HookPoint.MLP_OUT, layer), x.activated, false);
        pass.tap(HookPoint.MLP_POST, layer);
        if (gate != null) {
            // activated = silu(gate) · up, gate = gate(norm2)
            backend.swiGluBackward(d.gate, d.up, d.activated, x.gate, x.up);
            pass.tap(HookPoint.MLP_PRE, HookPoint.MLP_PRE_LINEAR, layer);
            gate.backward(pass, d.hidden, d.gate, x.norm2, false);
        } else {
            // activated = gelu(up)
            backend.geluBackward(d.up, d.activated, x.up);
            pass.tap(HookPoint.MLP_PRE, layer);
        }
        // up = up(norm2), and norm2 = norm(middle)
        up.backward(pass, d.hidden, d.up, x.norm2, gate != null);
        norm2.backward(pass, d.residual, d.hidden, x.middle, x.mean2, x.rstd2);
        pass.tap(HookPoint.RESID_MID, layer);

        // middle = input + o(attention), attention = softmax(q·kᵀ)·v
        o.backward(pass, d.attention, pass.branch(backend, HookPoint.ATTN_OUT, layer), x.attention, false);
        Segments segments = pass.segments();
        pass.tapAttention(backend, layer, scale, window);
        backend.attentionBackward(
                d.q, d.k, d.v, d.attention, x.attention, x.lse, x.q, x.k, x.v, segments, scale, window);
        pass.tap(HookPoint.V, layer);
        if (rotary) {
            pass.tap(HookPoint.ROT_Q, HookPoint.ROT_K, layer);
            backend.ropeBackward(d.q, a.cosine, a.sine, a.positions);
            backend.ropeBackward(d.k, a.cosine, a.sine, a.positions);
        }
        pass.tap(HookPoint.Q, HookPoint.K, layer);
        if (queryNorm != null) {
            // q = norm(rawQ), k = norm(rawK)
            backend.zero(d.rawQ);
            backend.zero(d.rawK);
            queryNorm.backward(pass, d.rawQ, d.q, x.rawQ, null, x.rstdQ);
            keyNorm.backward(pass, d.rawK, d.k, x.rawK, null, x.rstdK);
        }
        // rawQ, rawK, v = q(norm1), k(norm1), v(norm1), and norm1 = norm(input)
        queriesKeysValues.backward(pass, x);
        norm1.backward(pass, d.residual, d.hidden, x.input, x.mean1, x.rstd1);
        pass.tap(HookPoint.RESID_PRE, layer);
    }
}
