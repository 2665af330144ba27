package org.calm4j.engine.op.scalar;

import org.calm4j.engine.tensor.Tensor;

/** Root-mean-square norm (Zhang &amp; Sennrich 2019, eq. 4) of the rows of x (T,C) with a weight (C). */
final class RmsNorm {
    private RmsNorm() {}

    /**
     * Adds {@code x += residual} unless that is null; sets {@code rstd[t] = 1/√(mean(x²) + ε)} and {@code out[t,c] = x[t,c] · rstd[t] · w[c]}.
     */
    static void forward(Tensor out, Tensor rstd, Tensor x, Tensor residual, Tensor w, double epsilon) {
        long c = x.dim(1);
        for (long i = 0; residual != null && i < x.size(); i++) {
            x.set(i, x.get(i) + residual.get(i));
        }
        for (long t = 0; t < x.dim(0); t++) {
            double squares = 0;
            for (long i = 0; i < c; i++) {
                squares += x.get(t * c + i) * x.get(t * c + i);
            }
            double r = 1 / Math.sqrt(squares / c + epsilon);
            rstd.set(t, r);
            for (long i = 0; i < c; i++) {
                out.set(t * c + i, x.get(t * c + i) * r * w.get(i));
            }
        }
    }

    /**
     * Adds {@code dX = r (g − x r² mean(g x))} with {@code g = dOut · w}: r itself depends on x, {@code dr/dx = −r³ x / C}. Adds
     * {@code dW[c] += Σₜ dOut[t,c] x[t,c] r[t]} unless dW is null.
     */
    static void backward(Tensor dX, Tensor dW, Tensor dOut, Tensor x, Tensor w, Tensor rstd) {
        long c = x.dim(1);
        for (long t = 0; t < x.dim(0); t++) {
            double r = rstd.get(t);
            double mean = 0;
            for (long i = 0; i < c; i++) {
                mean += dOut.get(t * c + i) * w.get(i) * x.get(t * c + i);
            }
            mean /= c;
            for (long i = 0; i < c; i++) {
                double g = dOut.get(t * c + i) * w.get(i);
                dX.set(t * c + i, dX.get(t * c + i) + r * (g - x.get(t * c + i) * r * r * mean));
            }
        }
        for (long i = 0; dW != null && i < c; i++) {
            double sum = 0;
            for (long t = 0; t < x.dim(0); t++) {
                sum += dOut.get(t * c + i) * x.get(t * c + i) * rstd.get(t);
            }
            dW.set(i, dW.get(i) + sum);
        }
    }
}
