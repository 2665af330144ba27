package org.calm4j.engine.op.scalar;

import org.calm4j.engine.tensor.Tensor;

/** Rotary position embedding (Su et al. 2021), halves paired as in Hugging Face. */
final class Rope {
    private Rope() {}

    /**
     * Forward and backward: rotates x (T,H,D) in place, {@code (a, b) → (a cos − b sin, b cos + a sin)} (eq. 34) for element i and i + R/2 of
     * a head; cosine is (P,R/2).
     *
     * @param direction 1 forward; −1 backward: the gradient rotates back, because the transpose of a rotation is its inverse
     */
    static void turn(Tensor x, Tensor cosine, Tensor sine, Tensor position, int direction) {
        long heads = x.dim(1);
        long half = cosine.dim(1);
        for (long t = 0; t < x.dim(0); t++) {
            long angle = position.getInt(t) * half;
            for (long h = 0; h < heads; h++) {
                long first = (t * heads + h) * x.dim(2);
                for (long i = 0; i < half; i++) {
                    double cos = cosine.get(angle + i);
                    double sin = direction * sine.get(angle + i);
                    double a = x.get(first + i);
                    double b = x.get(first + half + i);
                    x.set(first + i, a * cos - b * sin);
                    x.set(first + half + i, b * cos + a * sin);
                }
            }
        }
    }
}
