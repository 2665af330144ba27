package org.calm4j.engine.model;

import java.util.List;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.Segments;
import org.calm4j.engine.tensor.Buffer;
import org.calm4j.engine.tensor.Tensor;

/**
 * One way through the layers, forward or backward.
 *
 * @param cache of decoding; null in training
 * @param prompts whether attention reads the batch's own keys and values, which are also written into the cache
 * @param gradients of a backward pass; null in a forward pass
 * @param add to the gradients of weights; otherwise they are set
 * @param dropoutSeed of this step's dropout in the adapters; null when nothing is dropped
 * @param tap sees values and gradients; null without
 * @param recomputing whether a layer's forward pass is repeated, from a stream that is joined and was shown to the tap
 */
record Pass(
        Activations activations,
        Segments segments,
        KvCache cache,
        boolean prompts,
        Gradients gradients,
        boolean add,
        Long dropoutSeed,
        Tap tap,
        boolean recomputing) {

    static Pass forward(Activations activations, Segments segments, Long dropoutSeed, Tap tap) {
        return new Pass(activations, segments, null, false, null, false, dropoutSeed, tap, false);
    }

    static Pass decoding(Activations activations, DecodeBatch batch, KvCache cache, Tap tap) {
        return new Pass(activations, batch.segments(), cache, batch.prompts(), null, false, null, tap, false);
    }

    static Pass backward(
            Activations activations, Segments segments, Gradients gradients, boolean add, Long dropoutSeed, Tap tap) {
        return new Pass(activations, segments, null, false, gradients, add, dropoutSeed, tap, false);
    }

    /** The repeated forward pass of a layer within a backward pass. */
    Pass recomputed() {
        return new Pass(activations, segments, cache, prompts, null, add, dropoutSeed, tap, true);
    }

    /** Passes with equal keys over equal segments issue the same operations; only the contents of tensors differ. */
    Object key(CausalLm model) {
        record Key(CausalLm model, Pass pass, Activations.Capacity size, boolean statistics) {}
        return new Key(
                model,
                new Pass(activations, null, cache, prompts, gradients, add, null, null, false),
                activations.size(),
                activations.statistics() != null);
    }

    BatchActivations batch() {
        return activations.batch();
    }

    LayerActivations layer(int index) {
        return activations.layer(index);
    }

    /** Gradients of activations. */
    ActivationGradients d() {
        return activations.gradients();
    }

    /** The gradient of a weight; null if it is frozen. */
    Tensor d(Tensor weight) {
        return gradients.of(weight);
    }

    /** The keys that attention reads in a layer, after writing the batch's own into the cache, if there is one. */
    Tensor keys(int layer, Tensor k) {
        Tensor cached = cache == null ? k : cache.keys(layer, k, batch().cacheRows);
        return prompts ? k : cached;
    }

    /** The values that attention reads in a layer, after writing the batch's own into the cache, if there is one. */
    Tensor values(int layer, Tensor v) {
        Tensor cached = cache == null ? v : cache.values(layer, v, batch().cacheRows);
        return prompts ? v : cached;
    }

    // ---- taps: each of these does nothing unless a tap wants the point ----

    boolean isTapped(HookPoint point, int layer) {
        return tap != null && tap.wants(point, layer);
    }

    /** Shows a point of a layer whose tensor is the layer's own: its value in a forward pass, its gradient in a backward pass. */
    void tap(HookPoint point, int layer) {
        if (isTapped(point, layer)) {
            if (gradients == null) {
                tap.value(point, layer, point.value(layer(layer)));
            } else {
                tap.gradient(point, layer, point.gradient(d()));
            }
        }
    }

    void tap(HookPoint one, HookPoint other, int layer) {
        tap(one, layer);
        tap(other, layer);
    }

    /** Shows a value; null if it is not computed. */
    void tap(HookPoint point, int layer, Tensor value) {
        if (value != null && isTapped(point, layer)) {
            tap.value(point, layer, value);
        }
    }

    /**
     * Shows the residual stream, joining it first.
     *
     * @param x a part's addition to the stream; becomes the stream if a tap wants one of the points
     * @param residual the stream before the part; null if x is the stream already
     * @return what is still to be added to x: residual, or null once it is joined
     */
    Tensor joined(Backend backend, Tensor x, Tensor residual, List<HookPoint.At> points) {
        // A repeated forward pass begins with a stream that is joined and was shown; the one between its parts is made
        // again.
        boolean shown = recomputing && residual == null;
        if (tap == null || shown || points.stream().noneMatch(at -> isTapped(at.point(), at.layer()))) {
            return residual;
        }
        if (residual != null) {
            add(backend, x, residual);
        }
        points.forEach(at -> tap(at.point(), at.layer(), x));
        return null;
    }

    /** {@code to += x}, as dropout with probability 0. */
    void add(Backend backend, Tensor to, Tensor x) {
        backend.dropout(to, x, 0, 0, true);
    }

    /** The stream's gradient on its way into a part's backward pass: a copy if a tap wants the part's own and may change it. */
    Tensor branch(Backend backend, HookPoint point, int layer) {
        if (!isTapped(point, layer)) {
            return d().residual;
        }
        backend.copy(d().hidden, d().residual);
        tap.gradient(point, layer, d().hidden);
        return d().hidden;
    }

    /** Shows a part of the first stream that is apart from it, and joins it. */
    void join(Backend backend, Tensor stream, Tensor part, HookPoint point) {
        if (isTapped(point, 0)) {
            tap.value(point, 0, part);
            add(backend, stream, part);
        }
    }

    /** Shows the logits of the scored rows. */
    void tapLogits(Backend backend, Tensor head) {
        if (isTapped(HookPoint.LOGITS, 0)) {
            backend.linearForward(batch().logits, batch().norm, head, 1, false);
            tap.value(HookPoint.LOGITS, 0, batch().logits);
        }
    }

    /** Shows attention's probabilities and output, or their gradients. */
    void tapAttention(Backend backend, int layer, double scale, int window) {
        if (tap == null) {
            return;
        }
        LayerActivations x = layer(layer);
        var pattern = new AttentionPattern(backend, segments, scale, window);
        if (gradients == null) {
            if (cache == null && isTapped(HookPoint.PATTERN, layer)) {
                Tensor shown = pattern.probabilities(x.q, x.k, x.lse);
                try (Buffer _ = shown.buffer()) {
                    tap.value(HookPoint.PATTERN, layer, shown);
                }
            }
            tap(HookPoint.Z, layer);
        } else {
            if (isTapped(HookPoint.Z, layer)) {
                // A tap may have changed it, and attention's own gradient reads its original value.
                backend.attentionForward(x.attention, x.lse, x.q, x.k, x.v, segments, scale, window);
                tap(HookPoint.Z, layer);
            }
            if (isTapped(HookPoint.PATTERN, layer)) {
                Tensor shown = pattern.gradients(d().attention, x.v);
                try (Buffer _ = shown.buffer()) {
                    tap.gradient(HookPoint.PATTERN, layer, shown);
                }
            }
        }
    }
}
