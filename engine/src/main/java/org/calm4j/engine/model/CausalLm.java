package org.calm4j.engine.model;

import java.util.List;
import java.util.stream.IntStream;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.tensor.Tensor;

/**
 * A decoder-only transformer (Vaswani et al. 2017), forward and backward, the same on every backend: embedding, {@link TransformerBlock}s,
 * norm, log-probability. The differences between families are data of {@link ModelConfig} and {@link Parameters}.
 *
 * <p>Letters as in {@link Tensor}: T rows of the packed batch, N scored rows, C hidden, H heads, G key/value heads, D head size.
 */
public final class CausalLm {
    private final ModelConfig config;
    private final Backend backend;
    private final Parameters base;
    private final Parameters parameters;
    private final Lora lora;
    private final List<TransformerBlock> blocks;
    private final Norm norm;
    /** The point of the stream after the last layer. */
    private final List<HookPoint.At> last;
    /** Null without. */
    private final Tap tap;

    /**
     * @param base the weights without the adapter
     * @param lora null without an adapter
     */
    public CausalLm(ModelConfig config, Parameters base, Lora lora) {
        this(config, base, lora, null);
    }

    private CausalLm(ModelConfig config, Parameters base, Lora lora, Tap tap) {
        this.tap = tap;
        this.config = config;
        this.backend = base.backend();
        this.base = base;
        if (lora != null) {
            lora.beside(base);
        }
        this.parameters = lora == null ? base : base.with(lora.replaced(base), lora.trainedWhole());
        this.lora = lora;
        blocks = IntStream.range(0, config.layers())
                .mapToObj(l -> new TransformerBlock(config, parameters, lora, l))
                .toList();
        norm = Norm.of(backend, parameters.norm(), config.norm().epsilon());
        last = List.of(new HookPoint.At(HookPoint.RESID_POST, config.layers() - 1));
    }

    // ---- forward ----

    /**
     * Log-probabilities of the batch's targets.
     *
     * @param dropoutSeed of this step's dropout in the adapters; null in evaluation, without dropout
     */
    public void forward(Activations activations, PackedBatch batch, Long dropoutSeed) {
        BatchActivations a = batch.write(backend, activations);
        Pass pass = Pass.forward(activations, batch.segments(), dropoutSeed, tap);
        run(pass, () -> {
            hidden(pass);
            Tensor kept = activations.keptLogits();
            backend.tokenLogProbForward(
                    a.logProb, a.logProbLse, activations.statistics(), a.norm, parameters.head(), a.targets, kept);
            pass.tapLogits(backend, parameters.head());
        });
    }

    /** Logits of the batch's scored rows, from the residual stream (T,C) before a layer on; after the last for the number of layers. */
    public void logits(Activations activations, PackedBatch batch, int layer, Tensor stream) {
        BatchActivations a = batch.write(backend, activations);
        Pass pass = Pass.forward(activations, batch.segments(), null, tap);
        backend.copy(layer == blocks.size() ? a.output : pass.layer(layer).input, stream);
        layers(pass, layer);
        backend.linearForward(a.logits, a.norm, parameters.head(), 1, false);
    }

    /** Logits of the batch's scored rows, with keys and values kept in a cache. */
    public void decode(Activations activations, DecodeBatch batch, KvCache cache) {
        activations.fit(batch.rows(), batch.scored());
        BatchActivations a = activations.batch();
        backend.write(a.tokens, batch.tokens(), batch.rows());
        backend.write(a.positions, batch.positions(), batch.rows());
        backend.write(a.cacheRows, batch.cacheRows(), batch.rows());
        backend.write(a.scoredRows, batch.scoredRows(), batch.scored());
        Pass pass = Pass.decoding(activations, batch, cache, tap);
        run(pass, () -> {
            hidden(pass);
            backend.linearForward(a.logits, a.norm, parameters.head(), 1, false);
        });
    }

    /** A pass is not recorded if dropout's seed differs from step to step, or a tap reads it from the host. */
    private void run(Pass pass, Runnable work) {
        if (pass.dropoutSeed() == null && tap == null) {
            backend.repeat(pass.key(this), pass.segments(), work);
        } else {
            work.run();
        }
    }

    /** Embedding, layers and last norm. */
    private void hidden(Pass pass) {
        BatchActivations a = pass.batch();
        Tensor first = pass.layer(0).input;
        backend.embeddingForward(first, parameters.embedding(), a.tokens, false);
        pass.tap(HookPoint.EMBED, 0, first);
        if (parameters.positions() != null) {
            boolean apart = pass.isTapped(HookPoint.POS_EMBED, 0);
            backend.embeddingForward(apart ? a.output : first, parameters.positions(), a.positions, !apart);
            pass.join(backend, first, a.output, HookPoint.POS_EMBED);
        }
        layers(pass, 0);
    }

    /** The layers from one on and the last norm; the last layer's output is joined to the stream for the scored rows alone. */
    private void layers(Pass pass, int from) {
        BatchActivations a = pass.batch();
        Tensor residual = null;
        for (int l = from; l < blocks.size(); l++) {
            Tensor out = l == blocks.size() - 1 ? a.output : pass.layer(l + 1).input;
            blocks.get(l).forward(pass, residual, out);
            residual = pass.layer(l).middle;
        }
        residual = pass.joined(backend, a.output, residual, last);
        backend.embeddingForward(a.gathered, a.output, a.scoredRows, false);
        if (residual != null) {
            backend.embeddingForward(a.gathered, residual, a.scoredRows, true);
        }
        norm.forward(a.norm, a.mean, a.rstd, a.gathered, null);
    }

    // ---- backward ----

    /**
     * The gradients of {@code Σₙ coefficient[n] · logProb[n]}, after {@link #forward} of the same batch with the same dropout.
     *
     * @param coefficient one per scored target, in the batch's order
     * @param add to the gradients; otherwise they are set, which saves clearing them
     */
    public void backward(
            Gradients gradients,
            Activations activations,
            PackedBatch batch,
            double[] coefficient,
            Long dropoutSeed,
            boolean add) {
        backend.write(activations.gradients().logProb, coefficient, batch.scored());
        Pass pass = Pass.backward(activations, batch.segments(), gradients, add, dropoutSeed, tap);
        run(pass, () -> backward(pass));
    }

    private void backward(Pass pass) {
        BatchActivations a = pass.batch();
        ActivationGradients d = pass.d();
        if (!pass.add()) {
            pass.gradients().clearSums(backend);
        }
        Tensor head = parameters.head();
        Tensor dHead = pass.d(head);
        Tensor kept = pass.activations().keptLogits();
        backend.tokenLogProbBackward(d.norm, dHead, d.logProb, a.norm, head, a.targets, a.logProbLse, kept, pass.add());
        backend.zero(d.gathered);
        norm.backward(pass, d.gathered, d.norm, a.gathered, a.mean, a.rstd);
        backend.zero(d.residual);
        backend.embeddingBackward(d.residual, d.gathered, a.scoredRows);
        for (TransformerBlock block : blocks.reversed()) {
            if (pass.activations().recomputes()) {
                // The layer's input is the residual stream already.
                block.forward(pass.recomputed(), null, null);
            }
            block.backward(pass);
        }
        if (parameters.positions() != null) {
            Tensor dPositions = pass.branch(backend, HookPoint.POS_EMBED, 0);
            if (pass.d(parameters.positions()) != null) {
                backend.embeddingBackward(pass.d(parameters.positions()), dPositions, a.positions);
            }
        }
        Tensor dEmbedding = pass.branch(backend, HookPoint.EMBED, 0);
        if (pass.d(parameters.embedding()) != null) {
            backend.embeddingBackward(pass.d(parameters.embedding()), dEmbedding, a.tokens);
        }
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
        return new CausalLm(config, base, null, tap);
    }

    /** The same weights, with a tap that sees every forward pass, backward pass and step of decoding. */
    public CausalLm tapped(Tap tap) {
        return new CausalLm(config, base, lora, tap);
    }

    public Backend backend() {
        return backend;
    }
}
