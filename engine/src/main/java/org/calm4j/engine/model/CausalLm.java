package org.calm4j.engine.model;

import java.util.ArrayList;
import java.util.List;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.Segments;
import org.calm4j.engine.random.CounterRandom;
import org.calm4j.engine.tensor.Tensor;

/**
 * A decoder-only transformer (Vaswani et al. 2017): one page forward, one page backward, the same on every backend. How families differ is
 * data of {@link ModelConfig} and {@link Parameters}.
 *
 * <p>Letters as in {@link Tensor}: T rows of the packed batch, N scored rows, C hidden, H heads, G key/value heads, D head size.
 */
public final class CausalLm {
    private final ModelConfig config;
    private final Backend backend;
    private final Parameters base;
    private final Parameters parameters;
    private final Lora lora;

    /**
     * @param base the weights without the adapter
     * @param lora null without an adapter
     */
    public CausalLm(ModelConfig config, Parameters base, Lora lora) {
        this.config = config;
        this.backend = base.backend();
        this.base = base;
        this.parameters = lora == null ? base : base.with(lora.replaced(base));
        this.lora = lora;
    }

    /** Where gradients go: to all parameters, to the adapter alone, or nowhere. Either may be null. */
    public record Gradients(Parameters parameters, Lora lora) {}

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
        repeat(new Pass(this, a, null, batch.rows(), batch.scored(), false), batch.segments(), dropoutSeed, () -> {
            hidden(a, batch.segments(), null, false, dropoutSeed);
            backend.tokenLogProbForward(a.logProb, a.logProbLse, a.norm, parameters.head(), a.targets, a.keptLogits);
        });
    }

    /**
     * What makes two passes over batches whose segments are the same the same but for the contents of their tensors.
     *
     * @param gradients of a backward pass; null in a forward pass
     * @param add to the gradients
     */
    private record Pass(CausalLm model, Activations a, Gradients gradients, int rows, int scored, boolean add) {}

    /** Dropout's random numbers differ from step to step without lying in a tensor. */
    private void repeat(Object key, Segments segments, Long dropoutSeed, Runnable work) {
        if (dropoutSeed == null) {
            backend.repeat(key, segments, work);
        } else {
            work.run();
        }
    }

    /** Logits of the batch's marked rows, with keys and values kept in a cache. */
    public void decode(Activations a, DecodeBatch batch, KvCache cache) {
        a.fit(batch.rows(), batch.marked());
        backend.write(a.tokens, batch.tokens(), batch.rows());
        backend.write(a.positions, batch.positions(), batch.rows());
        backend.write(a.cacheRows, batch.cacheRows(), batch.rows());
        backend.write(a.scoredRows, batch.markedRows(), batch.marked());
        backend.repeat(
                new Decoding(this, a, cache, batch.prompts(), batch.rows(), batch.marked()), batch.segments(), () -> {
                    hidden(a, batch.segments(), cache, batch.prompts(), null);
                    backend.linearForward(a.logits, a.norm, parameters.head(), 1, false);
                });
    }

    /** What makes two steps of decoding the same but for the contents of their tensors. */
    private record Decoding(CausalLm model, Activations a, KvCache cache, boolean prompts, int rows, int marked) {}

    /** @param prompts attention reads the batch's own keys and values, which go into the cache all the same */
    private void hidden(Activations a, Segments segments, KvCache cache, boolean prompts, Long dropoutSeed) {
        Tensor first = a.layers.getFirst().input;
        backend.embeddingForward(first, parameters.embedding(), a.tokens, false);
        if (parameters.positions() != null) {
            backend.embeddingForward(first, parameters.positions(), a.positions, true);
        }
        Tensor residual = null;
        for (int l = 0; l < config.layers(); l++) {
            boolean last = l == config.layers() - 1;
            block(l, residual, last ? a.output : a.layers.get(l + 1).input, a, segments, cache, prompts, dropoutSeed);
            residual = a.layers.get(l).middle;
        }
        backend.embeddingForward(a.gathered, a.output, a.scoredRows, false);
        backend.embeddingForward(a.gathered, residual, a.scoredRows, true);
        norm(a.norm, a.mean, a.rstd, a.gathered, null, parameters.norm());
    }

    /**
     * {@code middle = x + attention(norm(x))}, {@code out = feedForward(norm(middle))}. Each norm begins with the residual join before it, and
     * so does what comes behind the block, with middle.
     *
     * @param residual what is still to be added to the layer's input; null where that is the residual stream
     * @param out null where only what the backward pass reads is wanted
     */
    private void block(
            int l,
            Tensor residual,
            Tensor out,
            Activations a,
            Segments segments,
            KvCache cache,
            boolean prompts,
            Long dropoutSeed) {
        Parameters.Layer w = parameters.layer(l);
        Activations.Layer x = a.layers.get(l);
        norm(x.norm1, x.mean1, x.rstd1, x.input, residual, w.norm1());
        queriesKeysValues(l, a, dropoutSeed);
        if (w.queryNorm() != null) {
            norm(eachHead(x.q), null, x.rstdQ, eachHead(x.rawQ), null, w.queryNorm());
            norm(eachHead(x.k), null, x.rstdK, eachHead(x.rawK), null, w.keyNorm());
        }
        if (config.rope() != null) {
            backend.ropeForward(heads(x.q), a.cosine, a.sine, a.positions);
            backend.ropeForward(heads(x.k), a.cosine, a.sine, a.positions);
        }
        if (cache != null) {
            backend.scatter(cache.keys(l), x.k, a.cacheRows);
            backend.scatter(cache.values(l), x.v, a.cacheRows);
        }
        Tensor keys = cache == null || prompts ? x.k : cache.keys(l);
        Tensor values = cache == null || prompts ? x.v : cache.values(l);
        backend.attentionForward(
                heads(x.attention),
                x.lse,
                heads(x.q),
                heads(keys),
                heads(values),
                segments,
                config.attentionScales().get(l),
                config.windows().get(l));
        project(x.middle, x.attention, l, Projection.O, a, dropoutSeed);

        norm(x.norm2, x.mean2, x.rstd2, x.middle, x.input, w.norm2());
        project(x.up, x.norm2, l, Projection.UP, a, dropoutSeed);
        if (x.gate != null) {
            project(x.gate, x.norm2, l, Projection.GATE, a, dropoutSeed);
            backend.swiGluForward(x.activated, x.gate, x.up);
        } else {
            backend.geluForward(x.activated, x.up);
        }
        project(out, x.activated, l, Projection.DOWN, a, dropoutSeed);
    }

    private void queriesKeysValues(int l, Activations a, Long dropoutSeed) {
        Activations.Layer x = a.layers.get(l);
        if (a.fused == null) {
            project(x.rawQ, x.norm1, l, Projection.Q, a, dropoutSeed);
            project(x.rawK, x.norm1, l, Projection.K, a, dropoutSeed);
            project(x.v, x.norm1, l, Projection.V, a, dropoutSeed);
            return;
        }
        project(a.fused, x.norm1, l, Projection.QKV, a, dropoutSeed);
        Tensor thirds = thirds(a.fused);
        backend.embeddingForward(x.q, thirds, a.fusedQ, false);
        backend.embeddingForward(x.k, thirds, a.fusedK, false);
        backend.embeddingForward(x.v, thirds, a.fusedV, false);
    }

    private void norm(Tensor out, Tensor mean, Tensor rstd, Tensor x, Tensor residual, Parameters.Norm w) {
        if (w.bias() == null) {
            backend.rmsNormForward(out, rstd, x, residual, w.weight(), config.normEpsilon());
        } else {
            backend.layerNormForward(out, mean, rstd, x, residual, w.weight(), w.bias(), config.normEpsilon());
        }
    }

    /** {@code out = x·wᵀ + bias + scale · (dropout(x)·Aᵀ)·Bᵀ}; without out only x·Aᵀ, which the backward pass reads. */
    private void project(Tensor out, Tensor x, int l, Projection p, Activations a, Long dropoutSeed) {
        Parameters.Linear w = parameters.layer(l).linears().get(p);
        if (out == null) {
            lowRank(x, l, p, a, dropoutSeed);
            return;
        }
        if (config.family().transposed()) {
            // x·w for a weight (I,O): what the gradient of a product with a weight (O,I) is.
            backend.linearBackwardInput(out, x, w.weight(), 1, false);
        } else {
            backend.linearForward(out, x, w.weight(), 1, false);
        }
        if (w.bias() != null) {
            backend.biasForward(out, w.bias());
        }
        Lora.Adapter adapter = lowRank(x, l, p, a, dropoutSeed);
        if (adapter != null) {
            backend.linearForward(out, a.low(l, p, adapter.rank()), adapter.b(), adapter.scale(), true);
        }
    }

    /** {@code low = dropout(x)·Aᵀ} of the adapter that is returned; null without one. */
    private Lora.Adapter lowRank(Tensor x, int l, Projection p, Activations a, Long dropoutSeed) {
        Lora.Adapter adapter = lora == null ? null : lora.adapter(l, p);
        if (adapter != null) {
            backend.linearForward(a.low(l, p, adapter.rank()), dropped(x, l, p, a, dropoutSeed), adapter.a(), 1, false);
        }
        return adapter;
    }

    // ---- backward ----

    /**
     * The gradients of {@code Σₙ coefficient[n] · logProb[n]}, after {@link #forward} of the same batch with the same dropout.
     *
     * @param coefficient one per scored target, in the batch's order
     * @param add to the gradients; otherwise they are set, which spares clearing them
     */
    public void backward(
            Gradients d, Activations a, PackedBatch batch, double[] coefficient, Long dropoutSeed, boolean add) {
        backend.write(a.coefficient, coefficient, batch.scored());
        Pass pass = new Pass(this, a, d, batch.rows(), batch.scored(), add);
        repeat(pass, batch.segments(), dropoutSeed, () -> backward(d, a, batch, dropoutSeed, add));
    }

    private void backward(Gradients d, Activations a, PackedBatch batch, Long dropoutSeed, boolean add) {
        Parameters full = d.parameters();
        if (full != null && !add) {
            full.tensors().stream().filter(tensor -> !isProduct(full, tensor)).forEach(backend::zero);
        }
        backend.tokenLogProbBackward(
                a.dNorm,
                full == null ? null : full.head(),
                a.coefficient,
                a.norm,
                parameters.head(),
                a.targets,
                a.logProbLse,
                a.keptLogits,
                add);
        backend.zero(a.dGathered);
        normBackward(
                a.dGathered, full == null ? null : full.norm(), a.dNorm, a.gathered, parameters.norm(), a.mean, a.rstd);
        backend.zero(a.dResidual);
        backend.embeddingBackward(a.dResidual, a.dGathered, a.scoredRows);
        for (int l = config.layers() - 1; l >= 0; l--) {
            if (a.purpose() == Activations.Purpose.CHECKPOINTING) {
                // The input is the residual stream already.
                block(l, null, null, a, batch.segments(), null, false, dropoutSeed);
            }
            blockBackward(d, l, a, batch.segments(), dropoutSeed, add);
        }
        if (full != null) {
            backend.embeddingBackward(full.embedding(), a.dResidual, a.tokens);
            if (full.positions() != null) {
                backend.embeddingBackward(full.positions(), a.dResidual, a.positions);
            }
        }
    }

    /** Whether a product gives the gradient of a parameter; those of norms, biases and embeddings are only ever added to. */
    private static boolean isProduct(Parameters d, Tensor gradient) {
        return gradient == d.head() || gradient.rank() == 2 && gradient != d.embedding() && gradient != d.positions();
    }

    /** dResidual: behind the block when it starts, before the block when it ends. */
    private void blockBackward(
            Gradients d, int l, Activations a, Segments segments, Long dropoutSeed, boolean addWeights) {
        Parameters.Layer w = parameters.layer(l);
        Parameters.Layer dw = d.parameters() == null ? null : d.parameters().layer(l);
        Activations.Layer x = a.layers.get(l);
        projectBackward(
                a.dActivated, a.dResidual, x.activated, l, Projection.DOWN, false, d, a, dropoutSeed, addWeights);
        if (x.gate != null) {
            backend.swiGluBackward(a.dGate, a.dUp, a.dActivated, x.gate, x.up);
        } else {
            backend.geluBackward(a.dUp, a.dActivated, x.up);
        }
        if (x.gate != null) {
            projectBackward(a.dHidden, a.dGate, x.norm2, l, Projection.GATE, false, d, a, dropoutSeed, addWeights);
        }
        projectBackward(a.dHidden, a.dUp, x.norm2, l, Projection.UP, x.gate != null, d, a, dropoutSeed, addWeights);
        normBackward(a.dResidual, dw == null ? null : dw.norm2(), a.dHidden, x.middle, w.norm2(), x.mean2, x.rstd2);

        projectBackward(a.dAttention, a.dResidual, x.attention, l, Projection.O, false, d, a, dropoutSeed, addWeights);
        backend.attentionBackward(
                heads(a.dQ),
                heads(a.dK),
                heads(a.dV),
                heads(a.dAttention),
                heads(x.attention),
                x.lse,
                heads(x.q),
                heads(x.k),
                heads(x.v),
                segments,
                config.attentionScales().get(l),
                config.windows().get(l));
        if (config.rope() != null) {
            backend.ropeBackward(heads(a.dQ), a.cosine, a.sine, a.positions);
            backend.ropeBackward(heads(a.dK), a.cosine, a.sine, a.positions);
        }
        if (w.queryNorm() != null) {
            backend.zero(a.dRawQ);
            backend.zero(a.dRawK);
            normBackward(
                    eachHead(a.dRawQ),
                    dw == null ? null : dw.queryNorm(),
                    eachHead(a.dQ),
                    eachHead(x.rawQ),
                    w.queryNorm(),
                    null,
                    x.rstdQ);
            normBackward(
                    eachHead(a.dRawK),
                    dw == null ? null : dw.keyNorm(),
                    eachHead(a.dK),
                    eachHead(x.rawK),
                    w.keyNorm(),
                    null,
                    x.rstdK);
        }
        queriesKeysValuesBackward(d, l, a, dropoutSeed, addWeights);
        normBackward(a.dResidual, dw == null ? null : dw.norm1(), a.dHidden, x.input, w.norm1(), x.mean1, x.rstd1);
    }

    /** Sets dHidden. */
    private void queriesKeysValuesBackward(Gradients d, int l, Activations a, Long dropoutSeed, boolean addWeights) {
        Activations.Layer x = a.layers.get(l);
        if (a.fused == null) {
            projectBackward(a.dHidden, a.dRawQ, x.norm1, l, Projection.Q, false, d, a, dropoutSeed, addWeights);
            projectBackward(a.dHidden, a.dRawK, x.norm1, l, Projection.K, true, d, a, dropoutSeed, addWeights);
            projectBackward(a.dHidden, a.dV, x.norm1, l, Projection.V, true, d, a, dropoutSeed, addWeights);
            return;
        }
        backend.zero(a.fused);
        Tensor thirds = thirds(a.fused);
        backend.embeddingBackward(thirds, a.dQ, a.fusedQ);
        backend.embeddingBackward(thirds, a.dK, a.fusedK);
        backend.embeddingBackward(thirds, a.dV, a.fusedV);
        projectBackward(a.dHidden, a.fused, x.norm1, l, Projection.QKV, false, d, a, dropoutSeed, addWeights);
    }

    /** Adds to dX, and to dw unless that is null. */
    private void normBackward(
            Tensor dX, Parameters.Norm dw, Tensor dOut, Tensor x, Parameters.Norm w, Tensor mean, Tensor rstd) {
        Tensor dWeight = dw == null ? null : dw.weight();
        if (w.bias() == null) {
            backend.rmsNormBackward(dX, dWeight, dOut, x, w.weight(), rstd);
        } else {
            backend.layerNormBackward(dX, dWeight, dw == null ? null : dw.bias(), dOut, x, w.weight(), mean, rstd);
        }
    }

    /** {@code dX = dOut·w + dropout(scale · dOut·B·A)}, added to dX when {@code add}; adds dBias, and sets dW, or dA and dB, or adds to them when {@code addWeights}. */
    private void projectBackward(
            Tensor dX,
            Tensor dOut,
            Tensor x,
            int l,
            Projection p,
            boolean add,
            Gradients d,
            Activations a,
            Long dropoutSeed,
            boolean addWeights) {
        Tensor w = parameters.layer(l).linears().get(p).weight();
        boolean transposed = config.family().transposed();
        if (transposed) {
            backend.linearForward(dX, dOut, w, 1, add);
        } else {
            backend.linearBackwardInput(dX, dOut, w, 1, add);
        }
        if (d.parameters() != null) {
            Parameters.Linear dw = d.parameters().layer(l).linears().get(p);
            backend.linearBackwardWeight(dw.weight(), transposed ? x : dOut, transposed ? dOut : x, 1, addWeights);
            if (dw.bias() != null) {
                backend.biasBackward(dw.bias(), dOut);
            }
        }
        Lora.Adapter adapter = lora == null ? null : lora.adapter(l, p);
        if (adapter == null) {
            return;
        }
        Tensor dLow = a.dLow(adapter.rank());
        backend.linearBackwardInput(dLow, dOut, adapter.b(), adapter.scale(), false);
        if (d.lora() != null) {
            Lora.Adapter dAdapter = d.lora().adapter(l, p);
            backend.linearBackwardWeight(dAdapter.b(), dOut, a.low(l, p, adapter.rank()), adapter.scale(), addWeights);
            backend.linearBackwardWeight(dAdapter.a(), dLow, dropped(x, l, p, a, dropoutSeed), 1, addWeights);
        }
        if (dropoutSeed == null || lora.dropout() == 0) {
            backend.linearBackwardInput(dX, dLow, adapter.a(), 1, true);
        } else {
            Tensor dDropped = a.dropped((int) x.rowSize());
            backend.linearBackwardInput(dDropped, dLow, adapter.a(), 1, false);
            backend.dropout(dX, dDropped, lora.dropout(), dropoutSeed(dropoutSeed, l, p), true);
        }
    }

    private Tensor dropped(Tensor x, int l, Projection p, Activations a, Long dropoutSeed) {
        if (dropoutSeed == null || lora.dropout() == 0) {
            return x;
        }
        Tensor dropped = a.dropped((int) x.rowSize());
        backend.dropout(dropped, x, lora.dropout(), dropoutSeed(dropoutSeed, l, p), false);
        return dropped;
    }

    private static long dropoutSeed(long step, int l, Projection p) {
        return CounterRandom.seed(step, (long) l * Projection.values().length + p.ordinal());
    }

    // ---- views ----

    /** (T,H·D) as (T,H,D). */
    private Tensor heads(Tensor x) {
        return x.view(x.dim(0), x.dim(1) / config.headDim(), config.headDim());
    }

    /** (T,H·D) as (T·H,D). */
    private Tensor eachHead(Tensor x) {
        return x.view(x.size() / config.headDim(), config.headDim());
    }

    /** (T,3·C) as (3·T,C). */
    private static Tensor thirds(Tensor x) {
        return x.view(3 * x.dim(0), x.dim(1) / 3);
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

    /** The largest rank of the adapter; 0 without one. */
    public int loraRank() {
        return lora == null ? 0 : lora.rank();
    }

    /** The same weights without the adapter: the reference of DPO with LoRA. */
    public CausalLm withoutAdapter() {
        return new CausalLm(config, base, null);
    }

    /**
     * Why what it computes is not finite: the first weight that is not, as bad input; or, where all are, that they are too large together.
     * It reads all weights.
     */
    public CalmException notFinite() {
        List<Tensor> weights = new ArrayList<>(parameters.tensors());
        weights.addAll(lora == null ? List.of() : lora.block().tensors());
        double[] values = new double[1 << 16];
        for (Tensor weight : weights) {
            Tensor row = weight.view(weight.size());
            for (long first = 0; first < weight.size(); first += values.length) {
                int count = (int) Math.min(values.length, weight.size() - first);
                backend.read(values, row.rows(first, count), count);
                for (int i = 0; i < count; i++) {
                    if (!Double.isFinite(values[i])) {
                        return CalmException.badInput(
                                "tensor " + weight.name(),
                                "element " + (first + i) + " is " + values[i] + "; the model's weights are broken");
                    }
                }
            }
        }
        return CalmException.failed(
                "the model's outputs are not finite, although all its weights are; they are too large for its arithmetic",
                null);
    }

    public Backend backend() {
        return backend;
    }
}
