package org.calm4j.engine.model;

import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.Segments;
import org.calm4j.engine.random.CounterRandom;
import org.calm4j.engine.tensor.Tensor;

/**
 * A decoder-only transformer (Vaswani et al. 2017; the Llama shape of Touvron et al. 2023): one page forward, one page backward, the same
 * on every backend.
 *
 * <p>Letters as in {@link Tensor}: T rows of the packed batch, N scored rows, C hidden, H heads, G key/value heads, D head size.
 */
public final class CausalLm {
    private final ModelConfig config;
    private final Backend backend;
    private final Parameters parameters;
    private final Lora lora;
    private final double attentionScale;

    /** @param lora null without an adapter */
    public CausalLm(ModelConfig config, Parameters parameters, Lora lora) {
        this.config = config;
        this.backend = parameters.backend();
        this.parameters = parameters;
        this.lora = lora;
        this.attentionScale = 1 / Math.sqrt(config.headDim());
    }

    /** Where gradients go: to all parameters, to the adapter alone, or nowhere. Either may be null. */
    public record Gradients(Parameters parameters, Lora lora) {
    }

    // ---- forward ----

    /**
     * Log-probabilities of the batch's targets.
     *
     * @param dropoutSeed of this step's dropout in the adapters; null in evaluation, when nothing is dropped
     */
    public void forward(Activations a, PackedBatch batch, Long dropoutSeed) {
        a.fit(batch.rows(), batch.scored());
        backend.write(a.tokens, batch.tokens(), batch.rows());
        backend.write(a.positions, batch.positions(), batch.rows());
        backend.write(a.scoredRows, batch.scoredRows(), batch.scored());
        backend.write(a.targets, batch.targets(), batch.scored());
        hidden(a, batch.segments(), null, dropoutSeed);
        backend.tokenLogProbForward(a.logProb, a.logProbLse, a.norm, parameters.head(), a.targets);
    }

    /** Logits of the batch's marked rows, with keys and values kept in a cache; the batch's own rows of it were cleared before. */
    public void decode(Activations a, DecodeBatch batch, KvCache cache) {
        a.fit(batch.rows(), batch.marked());
        backend.write(a.tokens, batch.tokens(), batch.rows());
        backend.write(a.positions, batch.positions(), batch.rows());
        backend.write(a.cacheRows, batch.cacheRows(), batch.rows());
        backend.write(a.scoredRows, batch.markedRows(), batch.marked());
        hidden(a, batch.segments(), cache, null);
        backend.linearForward(a.logits, a.norm, parameters.head(), 1, false);
    }

    private void hidden(Activations a, Segments segments, KvCache cache, Long dropoutSeed) {
        backend.embeddingForward(a.layers.getFirst().input, parameters.embedding(), a.tokens, false);
        for (int l = 0; l < config.layers(); l++) {
            boolean last = l == config.layers() - 1;
            block(l, last ? a.output : a.layers.get(l + 1).input, a, segments, cache, dropoutSeed);
        }
        backend.embeddingForward(a.gathered, a.output, a.scoredRows, false);
        backend.rmsNormForward(a.norm, a.rstd, a.gathered, parameters.norm(), config.rmsNormEpsilon());
    }

    /** {@code middle = x + attention(norm(x))}, {@code out = middle + feedForward(norm(middle))}. */
    private void block(int l, Tensor out, Activations a, Segments segments, KvCache cache, Long dropoutSeed) {
        Parameters.Layer w = parameters.layer(l);
        Activations.Layer x = a.layers.get(l);
        backend.rmsNormForward(x.norm1, x.rstd1, x.input, w.inputNorm(), config.rmsNormEpsilon());
        project(x.q, x.norm1, l, Projection.Q, false, a, dropoutSeed);
        project(x.k, x.norm1, l, Projection.K, false, a, dropoutSeed);
        project(x.v, x.norm1, l, Projection.V, false, a, dropoutSeed);
        backend.ropeForward(heads(x.q), a.cosine, a.sine, a.positions);
        backend.ropeForward(heads(x.k), a.cosine, a.sine, a.positions);
        Tensor keys = x.k;
        Tensor values = x.v;
        if (cache != null) {
            keys = cache.keys(l);
            values = cache.values(l);
            // The rows are zero, so adding stores; it is the scatter that the backends have.
            backend.embeddingBackward(keys, x.k, a.cacheRows);
            backend.embeddingBackward(values, x.v, a.cacheRows);
        }
        backend.attentionForward(heads(x.attention), x.lse, heads(x.q), heads(keys), heads(values), segments, attentionScale, 0);
        backend.copy(x.middle, x.input);
        project(x.middle, x.attention, l, Projection.O, true, a, dropoutSeed);

        backend.rmsNormForward(x.norm2, x.rstd2, x.middle, w.postAttentionNorm(), config.rmsNormEpsilon());
        project(x.gate, x.norm2, l, Projection.GATE, false, a, dropoutSeed);
        project(x.up, x.norm2, l, Projection.UP, false, a, dropoutSeed);
        backend.swiGluForward(x.swiGlu, x.gate, x.up);
        backend.copy(out, x.middle);
        project(out, x.swiGlu, l, Projection.DOWN, true, a, dropoutSeed);
    }

    /** {@code out = x·wᵀ + scale · (dropout(x)·Aᵀ)·Bᵀ}, added to out when {@code add}. */
    private void project(Tensor out, Tensor x, int l, Projection p, boolean add, Activations a, Long dropoutSeed) {
        backend.linearForward(out, x, parameters.layer(l).weight(p), 1, add);
        Lora.Adapter adapter = lora == null ? null : lora.adapter(l, p);
        if (adapter != null) {
            Tensor low = a.layers.get(l).low.get(p);
            backend.linearForward(low, dropped(x, l, p, a, dropoutSeed), adapter.a(), 1, false);
            backend.linearForward(out, low, adapter.b(), lora.settings().scale(), true);
        }
    }

    // ---- backward ----

    /**
     * Adds the gradients of {@code Σₙ coefficient[n] · logProb[n]}, after {@link #forward} of the same batch with the same dropout.
     *
     * @param coefficient one per scored target, in the batch's order
     */
    public void backward(Gradients d, Activations a, PackedBatch batch, double[] coefficient, Long dropoutSeed) {
        Parameters full = d.parameters();
        backend.write(a.coefficient, coefficient, batch.scored());
        backend.tokenLogProbBackward(a.dNorm, full == null ? null : full.head(), a.coefficient, a.norm, parameters.head(), a.targets,
                a.logProbLse);
        backend.zero(a.dGathered);
        backend.rmsNormBackward(a.dGathered, full == null ? null : full.norm(), a.dNorm, a.gathered, parameters.norm(), a.rstd);
        backend.zero(a.dResidual);
        backend.embeddingBackward(a.dResidual, a.dGathered, a.scoredRows);
        for (int l = config.layers() - 1; l >= 0; l--) {
            if (a.purpose() == Activations.Purpose.CHECKPOINTING) {
                // The residual stream behind the block is known; dHidden only takes what would be written there.
                block(l, a.dHidden, a, batch.segments(), null, dropoutSeed);
            }
            blockBackward(d, l, a, batch.segments(), dropoutSeed);
        }
        if (full != null) {
            backend.embeddingBackward(full.embedding(), a.dResidual, a.tokens);
        }
    }

    /** dResidual: behind the block when it starts, before the block when it ends. */
    private void blockBackward(Gradients d, int l, Activations a, Segments segments, Long dropoutSeed) {
        Parameters.Layer w = parameters.layer(l);
        Parameters.Layer dw = d.parameters() == null ? null : d.parameters().layer(l);
        Activations.Layer x = a.layers.get(l);
        projectBackward(a.dSwiGlu, a.dResidual, x.swiGlu, l, Projection.DOWN, false, d, a, dropoutSeed);
        backend.swiGluBackward(a.dGate, a.dUp, a.dSwiGlu, x.gate, x.up);
        projectBackward(a.dHidden, a.dGate, x.norm2, l, Projection.GATE, false, d, a, dropoutSeed);
        projectBackward(a.dHidden, a.dUp, x.norm2, l, Projection.UP, true, d, a, dropoutSeed);
        backend.rmsNormBackward(a.dResidual, dw == null ? null : dw.postAttentionNorm(), a.dHidden, x.middle, w.postAttentionNorm(), x.rstd2);

        projectBackward(a.dAttention, a.dResidual, x.attention, l, Projection.O, false, d, a, dropoutSeed);
        backend.attentionBackward(heads(a.dQ), heads(a.dK), heads(a.dV), heads(a.dAttention), heads(x.attention), x.lse, heads(x.q),
                heads(x.k), heads(x.v), segments, attentionScale, 0);
        backend.ropeBackward(heads(a.dQ), a.cosine, a.sine, a.positions);
        backend.ropeBackward(heads(a.dK), a.cosine, a.sine, a.positions);
        projectBackward(a.dHidden, a.dQ, x.norm1, l, Projection.Q, false, d, a, dropoutSeed);
        projectBackward(a.dHidden, a.dK, x.norm1, l, Projection.K, true, d, a, dropoutSeed);
        projectBackward(a.dHidden, a.dV, x.norm1, l, Projection.V, true, d, a, dropoutSeed);
        backend.rmsNormBackward(a.dResidual, dw == null ? null : dw.inputNorm(), a.dHidden, x.input, w.inputNorm(), x.rstd1);
    }

    /** {@code dX = dOut·w + dropout(scale · dOut·B·A)}, added to dX when {@code add}; adds dW, or dA and dB. */
    private void projectBackward(Tensor dX, Tensor dOut, Tensor x, int l, Projection p, boolean add, Gradients d, Activations a,
            Long dropoutSeed) {
        backend.linearBackwardInput(dX, dOut, parameters.layer(l).weight(p), 1, add);
        if (d.parameters() != null) {
            backend.linearBackwardWeight(d.parameters().layer(l).weight(p), dOut, x, 1);
        }
        Lora.Adapter adapter = lora == null ? null : lora.adapter(l, p);
        if (adapter == null) {
            return;
        }
        double scale = lora.settings().scale();
        backend.linearBackwardInput(a.dLow, dOut, adapter.b(), scale, false);
        if (d.lora() != null) {
            Lora.Adapter dAdapter = d.lora().adapter(l, p);
            backend.linearBackwardWeight(dAdapter.b(), dOut, a.layers.get(l).low.get(p), scale);
            backend.linearBackwardWeight(dAdapter.a(), a.dLow, dropped(x, l, p, a, dropoutSeed), 1);
        }
        if (dropoutSeed == null || lora.settings().dropout() == 0) {
            backend.linearBackwardInput(dX, a.dLow, adapter.a(), 1, true);
        } else {
            Tensor dDropped = a.dropped((int) x.rowSize());
            backend.linearBackwardInput(dDropped, a.dLow, adapter.a(), 1, false);
            backend.dropout(dX, dDropped, lora.settings().dropout(), dropoutSeed(dropoutSeed, l, p), true);
        }
    }

    private Tensor dropped(Tensor x, int l, Projection p, Activations a, Long dropoutSeed) {
        if (dropoutSeed == null || lora.settings().dropout() == 0) {
            return x;
        }
        Tensor dropped = a.dropped((int) x.rowSize());
        backend.dropout(dropped, x, lora.settings().dropout(), dropoutSeed(dropoutSeed, l, p), false);
        return dropped;
    }

    private static long dropoutSeed(long step, int l, Projection p) {
        return CounterRandom.seed(step, (long) l * Projection.values().length + p.ordinal());
    }

    /** (T,H·D) as (T,H,D). */
    private Tensor heads(Tensor x) {
        return x.view(x.dim(0), x.dim(1) / config.headDim(), config.headDim());
    }

    public ModelConfig config() {
        return config;
    }

    public Parameters parameters() {
        return parameters;
    }

    /** The adapter; null without one. */
    public Lora lora() {
        return lora;
    }

    /** The same weights without the adapter: the reference of DPO with LoRA. */
    public CausalLm withoutAdapter() {
        return new CausalLm(config, parameters, null);
    }

    public Backend backend() {
        return backend;
    }
}
