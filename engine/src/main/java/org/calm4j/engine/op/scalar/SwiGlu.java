package org.calm4j.engine.op.scalar;

import org.calm4j.engine.tensor.Tensor;

/** {@code silu(gate) · up} (Shazeer 2020), {@code silu(x) = x σ(x)}; all (T,F). */
final class SwiGlu {
    private SwiGlu() {}

    /** Sets out. */
    static void forward(Tensor out, Tensor gate, Tensor up) {
        for (long i = 0; i < out.size(); i++) {
            double g = gate.get(i);
            out.set(i, g * sigmoid(g) * up.get(i));
        }
    }

    /** Sets dGate and dUp, which may be gate and up: {@code silu'(x) = σ(x) (1 + x (1 − σ(x)))}. */
    static void backward(Tensor dGate, Tensor dUp, Tensor dOut, Tensor gate, Tensor up) {
        for (long i = 0; i < dOut.size(); i++) {
            double g = gate.get(i);
            double u = up.get(i);
            double s = sigmoid(g);
            dGate.set(i, dOut.get(i) * u * s * (1 + g * (1 - s)));
            dUp.set(i, dOut.get(i) * g * s);
        }
    }

    private static double sigmoid(double x) {
        return 1 / (1 + Math.exp(-x));
    }
}
