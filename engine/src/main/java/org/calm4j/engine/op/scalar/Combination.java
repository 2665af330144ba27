package org.calm4j.engine.op.scalar;

import org.calm4j.engine.tensor.Tensor;

/** A weighted sum of two tensors. */
final class Combination {
    private Combination() {}

    /** {@code y[i] = a·y[i] + b·x[i]}. */
    static void apply(Tensor y, double a, Tensor x, double b) {
        for (long i = 0; i < x.size(); i++) {
            y.set(i, a * y.get(i) + b * x.get(i));
        }
    }
}
