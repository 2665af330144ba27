package org.calm4j.engine.op.scalar;

import java.util.Arrays;
import org.calm4j.engine.op.TokenStatistic;
import org.calm4j.engine.tensor.Tensor;

/** {@code log softmax(x·wᵀ)} at one target per row: x (N,C), w (V,C); the logits of one row at a time. */
final class TokenLogProb {
    private TokenLogProb() {}

    /** Sets logProb (N), lse (N), and statistics unless it is null. */
    static void forward(Tensor logProb, Tensor lse, Tensor statistics, Tensor x, Tensor w, Tensor target) {
        double[] logits = new double[(int) w.dim(0)];
        for (long n = 0; n < x.dim(0); n++) {
            logits(logits, x, n, w);
            double max = Double.NEGATIVE_INFINITY;
            for (double logit : logits) {
                max = Math.max(max, logit);
            }
            double sum = 0;
            for (double logit : logits) {
                sum += Math.exp(logit - max);
            }
            lse.set(n, max + Math.log(sum));
            logProb.set(n, logits[target.getInt(n)] - max - Math.log(sum));
            if (statistics != null) {
                double gap = max - logits[target.getInt(n)];
                statistics(statistics, n, logits, max + Math.log(sum), gap);
            }
        }
    }

    private static void statistics(Tensor statistics, long n, double[] logits, double lse, double gap) {
        double squares = 0;
        double entropy = 0;
        for (double logit : logits) {
            double p = Math.exp(logit - lse);
            squares += p * p;
            entropy += p * (lse - logit);
        }
        long row = n * TokenStatistic.COUNT;
        statistics.set(row + TokenStatistic.LOG_SUM_SQUARES.ordinal(), Math.log(squares));
        statistics.set(row + TokenStatistic.ENTROPY.ordinal(), entropy);
        statistics.set(row + TokenStatistic.BEHIND.ordinal(), gap);
        statistics.set(
                row + TokenStatistic.MEAN_LOGIT.ordinal(),
                Arrays.stream(logits).average().orElseThrow());
    }

    /**
     * With {@code dLogit[v] = coefficient (1{v = target} − softmax[v])}: sets {@code dX = dLogit·w}, and sets or adds
     * {@code dW = dLogitᵀ·x} unless dW is null.
     */
    static void backward(
            Tensor dX, Tensor dW, Tensor coefficient, Tensor x, Tensor w, Tensor target, Tensor lse, boolean add) {
        int v = (int) w.dim(0);
        int c = (int) w.dim(1);
        double[] dLogits = new double[v];
        double[] sums = new double[dW == null ? 0 : v * c];
        for (long n = 0; n < x.dim(0); n++) {
            logits(dLogits, x, n, w);
            for (int i = 0; i < v; i++) {
                double probability = Math.exp(dLogits[i] - lse.get(n));
                dLogits[i] = coefficient.get(n) * ((i == target.getInt(n) ? 1 : 0) - probability);
            }
            for (int j = 0; j < c; j++) {
                double sum = 0;
                for (int i = 0; i < v; i++) {
                    sum += dLogits[i] * w.get((long) i * c + j);
                }
                dX.set(n * c + j, sum);
            }
            for (int i = 0; dW != null && i < v; i++) {
                for (int j = 0; j < c; j++) {
                    sums[i * c + j] += dLogits[i] * x.get(n * c + j);
                }
            }
        }
        for (int i = 0; i < sums.length; i++) {
            dW.set(i, add ? dW.get(i) + sums[i] : sums[i]);
        }
    }

    private static void logits(double[] logits, Tensor x, long n, Tensor w) {
        long c = w.dim(1);
        for (int v = 0; v < logits.length; v++) {
            double sum = 0;
            for (long i = 0; i < c; i++) {
                sum += x.get(n * c + i) * w.get(v * c + i);
            }
            logits[v] = sum;
        }
    }
}
