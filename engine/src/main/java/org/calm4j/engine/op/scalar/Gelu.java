package org.calm4j.engine.op.scalar;

import org.calm4j.engine.tensor.Tensor;

/** {@code x/2 (1 + tanh u)} with {@code u = √(2/π)(x + 0.044715 x³)} (Hendrycks &amp; Gimpel 2016); all (T,F). */
final class Gelu {
    private static final double SCALE = Math.sqrt(2 / Math.PI);
    private static final double CUBIC = 0.044715;

    private Gelu() {}

    /** Sets out. */
    static void forward(Tensor out, Tensor x) {
        for (long i = 0; i < out.size(); i++) {
            double v = x.get(i);
            out.set(i, v / 2 * (1 + Math.tanh(SCALE * (v + CUBIC * v * v * v))));
        }
    }

    /** Sets dX, which may be x or dOut: {@code gelu' = (1 + tanh u)/2 + x/2 (1 − tanh² u) u'}. */
    static void backward(Tensor dX, Tensor dOut, Tensor x) {
        for (long i = 0; i < dOut.size(); i++) {
            double v = x.get(i);
            double tanh = Math.tanh(SCALE * (v + CUBIC * v * v * v));
            double slope = (1 + tanh) / 2 + v / 2 * (1 - tanh * tanh) * SCALE * (1 + 3 * CUBIC * v * v);
            dX.set(i, dOut.get(i) * slope);
        }
    }
}
