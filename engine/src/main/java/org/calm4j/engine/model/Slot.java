package org.calm4j.engine.model;

import org.calm4j.engine.tensor.DType;

/**
 * The declaration of a tensor that a pass needs.
 *
 * @param shape for the batch at hand, or for the largest one
 */
record Slot(String name, Lifetime lifetime, DType type, long... shape) {
    /** The lifetime of its values; short-lived ones share memory. */
    enum Lifetime {
        /** From the forward pass to the layer's backward pass. */
        KEPT,
        /** The same, but with gradient checkpointing the backward pass recomputes it. */
        RECOMPUTED,
        /** Until the next layer, or the next pass. */
        SCRATCH
    }
}
