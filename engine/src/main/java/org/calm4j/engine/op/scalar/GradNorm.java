package org.calm4j.engine.op.scalar;

import org.calm4j.engine.tensor.Tensor;

/** The square of a gradient's global norm; {@code Trainer.clip} clips by it. */
final class GradNorm {
    private GradNorm() {}

    /** {@code Σ x²}. */
    static double sumOfSquares(Tensor x) {
        double sum = 0;
        for (long i = 0; i < x.size(); i++) {
            sum += x.get(i) * x.get(i);
        }
        return sum;
    }
}
