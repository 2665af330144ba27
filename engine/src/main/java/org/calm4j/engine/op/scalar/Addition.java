package org.calm4j.engine.op.scalar;

import org.calm4j.engine.tensor.Tensor;

/** The sum of two gradients. */
final class Addition {
    private Addition() {}

    /** {@code y[i] += x[i]}. */
    static void apply(Tensor y, Tensor x) {
        for (long i = 0; i < x.size(); i++) {
            y.set(i, y.get(i) + x.get(i));
        }
    }
}
