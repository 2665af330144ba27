package org.calm4j.engine.model;

import org.calm4j.engine.op.Segments;
import org.calm4j.engine.tensor.Tensor;

/**
 * One way through the layers, forward or backward.
 *
 * @param cache of decoding; null in training
 * @param prompts attention reads the batch's own keys and values, which go into the cache all the same
 * @param gradients of a backward pass; null in a forward pass
 * @param add to the gradients of weights; otherwise they are set
 * @param dropoutSeed of this step's dropout in the adapters; null when nothing is dropped
 */
record Pass(
        Activations activations,
        Segments segments,
        KvCache cache,
        boolean prompts,
        Gradients gradients,
        boolean add,
        Long dropoutSeed) {

    static Pass forward(Activations activations, Segments segments, Long dropoutSeed) {
        return new Pass(activations, segments, null, false, null, false, dropoutSeed);
    }

    static Pass decoding(Activations activations, DecodeBatch batch, KvCache cache) {
        return new Pass(activations, batch.segments(), cache, batch.prompts(), null, false, null);
    }

    static Pass backward(
            Activations activations, Segments segments, Gradients gradients, boolean add, Long dropoutSeed) {
        return new Pass(activations, segments, null, false, gradients, add, dropoutSeed);
    }

    /** Passes with equal keys over equal segments issue the same operations; only the contents of tensors differ. */
    Object key(CausalLm model) {
        record Key(CausalLm model, Pass pass, Activations.Capacity size) {}
        return new Key(model, new Pass(activations, null, cache, prompts, gradients, add, null), activations.size());
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

    /** The gradient of a weight; null where it is frozen. */
    Tensor d(Tensor weight) {
        return gradients.of(weight);
    }

    /** The keys that attention reads in a layer, after the cache, if there is one, got the batch's own. */
    Tensor keys(int layer, Tensor k) {
        Tensor cached = cache == null ? k : cache.keys(layer, k, batch().cacheRows);
        return prompts ? k : cached;
    }

    /** The values that attention reads in a layer, after the cache, if there is one, got the batch's own. */
    Tensor values(int layer, Tensor v) {
        Tensor cached = cache == null ? v : cache.values(layer, v, batch().cacheRows);
        return prompts ? v : cached;
    }
}
