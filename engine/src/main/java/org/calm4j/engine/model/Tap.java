package org.calm4j.engine.model;

import org.calm4j.engine.tensor.Tensor;

/** Sees a pass's values forward and their gradients backward, and may change both in place. Nothing that it is given outlives the call. */
public interface Tap {
    /** Whether it wants a point; what is not wanted costs nothing and stays fused with its neighbours. */
    boolean wants(HookPoint point, int layer);

    /** A value, before anything reads it. */
    void value(HookPoint point, int layer, Tensor value);

    /** The gradient of the value as this tap left it; what it makes of it is the gradient of the value that it was given. */
    void gradient(HookPoint point, int layer, Tensor gradient);
}
