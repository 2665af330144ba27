package org.calm4j.engine.op.scalar;

import org.calm4j.engine.tensor.Tensor;

/** The same row added to all rows of x (T,N). */
final class Bias {
    private Bias() {}

    /** Adds {@code x[t,n] += bias[n]}. */
    static void forward(Tensor x, Tensor bias) {
        long n = bias.size();
        for (long i = 0; i < x.size(); i++) {
            x.set(i, x.get(i) + bias.get(i % n));
        }
    }

    /** Adds {@code dBias[n] += Σₜ dOut[t,n]}. */
    static void backward(Tensor dBias, Tensor dOut) {
        for (long i = 0; i < dBias.size(); i++) {
            double sum = 0;
            for (long t = 0; t < dOut.dim(0); t++) {
                sum += dOut.get(t * dBias.size() + i);
            }
            dBias.set(i, dBias.get(i) + sum);
        }
    }
}
