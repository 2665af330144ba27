package org.calm4j.engine.op.scalar;

import org.calm4j.engine.tensor.Tensor;

/** Layer norm (Ba et al. 2016) of the rows of x (T,C) with a weight and a bias (C). */
final class LayerNorm {
    private LayerNorm() {}

    /**
     * Adds {@code x += residual} unless that is null; sets mean (T), {@code rstd[t] = 1/√(mean((x − mean)²) + ε)} and
     * {@code out[t,c] = (x[t,c] − mean[t]) · rstd[t] · w[c] + bias[c]}.
     */
    static void forward(
            Tensor out, Tensor mean, Tensor rstd, Tensor x, Tensor residual, Tensor w, Tensor bias, double epsilon) {
        long c = x.dim(1);
        for (long i = 0; residual != null && i < x.size(); i++) {
            x.set(i, x.get(i) + residual.get(i));
        }
        for (long t = 0; t < x.dim(0); t++) {
            double m = 0;
            for (long i = 0; i < c; i++) {
                m += x.get(t * c + i);
            }
            m /= c;
            double squares = 0;
            for (long i = 0; i < c; i++) {
                squares += (x.get(t * c + i) - m) * (x.get(t * c + i) - m);
            }
            double r = 1 / Math.sqrt(squares / c + epsilon);
            mean.set(t, m);
            rstd.set(t, r);
            for (long i = 0; i < c; i++) {
                out.set(t * c + i, (x.get(t * c + i) - m) * r * w.get(i) + bias.get(i));
            }
        }
    }

    /**
     * Adds {@code dX = r (g − mean(g) − x̂ mean(g x̂))} with {@code x̂ = (x − mean) r} and {@code g = dOut · w}: mean and r depend on x
     * too. Adds {@code dW[c] += Σₜ dOut[t,c] x̂[t,c]} and {@code dBias[c] += Σₜ dOut[t,c]} unless they are null.
     */
    static void backward(
            Tensor dX, Tensor dW, Tensor dBias, Tensor dOut, Tensor x, Tensor w, Tensor mean, Tensor rstd) {
        long c = x.dim(1);
        for (long t = 0; t < x.dim(0); t++) {
            double m = mean.get(t);
            double r = rstd.get(t);
            double meanG = 0;
            double meanGx = 0;
            for (long i = 0; i < c; i++) {
                double g = dOut.get(t * c + i) * w.get(i);
                meanG += g / c;
                meanGx += g * (x.get(t * c + i) - m) * r / c;
            }
            for (long i = 0; i < c; i++) {
                double g = dOut.get(t * c + i) * w.get(i);
                double normal = (x.get(t * c + i) - m) * r;
                dX.set(t * c + i, dX.get(t * c + i) + r * (g - meanG - normal * meanGx));
            }
        }
        if (dW == null) {
            return;
        }
        for (long i = 0; i < c; i++) {
            double sum = 0;
            for (long t = 0; t < x.dim(0); t++) {
                sum += dOut.get(t * c + i) * (x.get(t * c + i) - mean.get(t)) * rstd.get(t);
            }
            dW.set(i, dW.get(i) + sum);
        }
        Bias.backward(dBias, dOut);
    }
}
