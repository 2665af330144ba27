package org.calm4j.engine.op.scalar;

import org.calm4j.engine.tensor.Tensor;

/** A factor for each column of x (T,N). */
final class Scale {
    private Scale() {}

    /** {@code out[t,n] = scale[n] · x[t,n]}, or added to out. */
    static void forward(Tensor out, Tensor x, Tensor scale, boolean add) {
        long n = scale.size();
        for (long i = 0; i < x.size(); i++) {
            out.set(i, (add ? out.get(i) : 0) + scale.get(i % n) * x.get(i));
        }
    }

    /** Adds {@code dScale[n] += Σₜ dOut[t,n] · x[t,n]}. */
    static void backward(Tensor dScale, Tensor dOut, Tensor x) {
        for (long i = 0; i < dScale.size(); i++) {
            double sum = 0;
            for (long at = i; at < x.size(); at += dScale.size()) {
                sum += dOut.get(at) * x.get(at);
            }
            dScale.set(i, dScale.get(i) + sum);
        }
    }
}
