package org.calm4j.engine.op.scalar;

import org.calm4j.engine.tensor.Tensor;

/** The product with a weight (N,K), for x (T,K). */
final class Linear {
    private Linear() {}

    /** Sets or adds {@code out[t,n] = α Σₖ x[t,k] w[n,k]}. */
    static void forward(Tensor out, Tensor x, Tensor w, double alpha, boolean add) {
        long kSize = w.dim(1);
        long nSize = w.dim(0);
        for (long t = 0; t < x.dim(0); t++) {
            for (long n = 0; n < nSize; n++) {
                double sum = 0;
                for (long k = 0; k < kSize; k++) {
                    sum += x.get(t * kSize + k) * w.get(n * kSize + k);
                }
                store(out, t * nSize + n, alpha * sum, add);
            }
        }
    }

    /** Sets or adds {@code dX[t,k] = α Σₙ dOut[t,n] w[n,k]}. */
    static void backwardInput(Tensor dX, Tensor dOut, Tensor w, double alpha, boolean add) {
        long kSize = w.dim(1);
        long nSize = w.dim(0);
        for (long t = 0; t < dOut.dim(0); t++) {
            for (long k = 0; k < kSize; k++) {
                double sum = 0;
                for (long n = 0; n < nSize; n++) {
                    sum += dOut.get(t * nSize + n) * w.get(n * kSize + k);
                }
                store(dX, t * kSize + k, alpha * sum, add);
            }
        }
    }

    /** Sets or adds {@code dW[n,k] = α Σₜ dOut[t,n] x[t,k]}. */
    static void backwardWeight(Tensor dW, Tensor dOut, Tensor x, double alpha, boolean add) {
        long kSize = dW.dim(1);
        long nSize = dW.dim(0);
        for (long n = 0; n < nSize; n++) {
            for (long k = 0; k < kSize; k++) {
                double sum = 0;
                for (long t = 0; t < x.dim(0); t++) {
                    sum += dOut.get(t * nSize + n) * x.get(t * kSize + k);
                }
                store(dW, n * kSize + k, alpha * sum, add);
            }
        }
    }

    private static void store(Tensor to, long i, double value, boolean add) {
        to.set(i, add ? to.get(i) + value : value);
    }
}
