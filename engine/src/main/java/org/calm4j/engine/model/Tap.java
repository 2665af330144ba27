package org.calm4j.engine.model;

import org.calm4j.engine.tensor.Tensor;

/** Sees a pass's values forward and their gradients backward, and may change both in place. Its arguments are valid during the call only. */
public interface Tap {
    /** Whether it wants a point; other points cost nothing and stay fused with their neighbours. */
    boolean wants(HookPoint point, int layer);

    /** A value, before anything reads it. */
    void value(HookPoint point, int layer, Tensor value);

    /** The gradient of the value as this tap left it; the tap turns it into the gradient of the value that it received. */
    void gradient(HookPoint point, int layer, Tensor gradient);
}
