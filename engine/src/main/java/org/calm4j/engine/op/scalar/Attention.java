package org.calm4j.engine.op.scalar;

import java.util.Arrays;
import org.calm4j.engine.op.Segments;
import org.calm4j.engine.tensor.Tensor;

/**
 * Causal softmax attention over the forest of segments: q (T,H,D), k and v (S,G,D); query head h reads key head h/(H/G).
 *
 * <p>Backward as in FlashAttention (Dao et al. 2022): with {@code p = exp(s − lse)}, {@code dV += p dOut}, {@code dp = dOut·v},
 * {@code ds = p (dp − dOut·out)}, {@code dQ += scale ds k}, {@code dK += scale ds q}.
 */
final class Attention {
    private Attention() {}

    /** Sets out (T,H,D) and lse (T,H) of every query row. */
    static void forward(
            Tensor out, Tensor lse, Tensor q, Tensor k, Tensor v, Segments segments, double scale, int window) {
        int d = (int) q.dim(2);
        for (int s = 0; s < segments.count(); s++) {
            for (int j = 0; j < segments.queryLength(s); j++) {
                for (int h = 0; h < q.dim(1); h++) {
                    long row = (segments.queryStart(s) + (long) j) * q.dim(1) + h;
                    int[] keys = visible(segments, s, j, window);
                    double[] score = scores(q, k, row, keys, h, scale);
                    double max = Double.NEGATIVE_INFINITY;
                    for (double x : score) {
                        max = Math.max(max, x);
                    }
                    double sum = 0;
                    double[] mixed = new double[d];
                    for (int i = 0; i < keys.length; i++) {
                        double p = Math.exp(score[i] - max);
                        sum += p;
                        long key = key(keys[i], h, q, k);
                        for (int e = 0; e < d; e++) {
                            mixed[e] += p * v.get(key + e);
                        }
                    }
                    lse.set(row, max + Math.log(sum));
                    for (int e = 0; e < d; e++) {
                        out.set(row * d + e, mixed[e] / sum);
                    }
                }
            }
        }
    }

    /** Sets dQ (T,H,D), dK and dV (S,G,D). */
    static void backward(
            Tensor dQ,
            Tensor dK,
            Tensor dV,
            Tensor dOut,
            Tensor out,
            Tensor lse,
            Tensor q,
            Tensor k,
            Tensor v,
            Segments segments,
            double scale,
            int window) {
        int d = (int) q.dim(2);
        double[] dKeys = new double[Math.toIntExact(k.size())];
        double[] dValues = new double[dKeys.length];
        dQ.segment().fill((byte) 0);
        for (int s = 0; s < segments.count(); s++) {
            for (int j = 0; j < segments.queryLength(s); j++) {
                for (int h = 0; h < q.dim(1); h++) {
                    long row = (segments.queryStart(s) + (long) j) * q.dim(1) + h;
                    int[] keys = visible(segments, s, j, window);
                    double[] score = scores(q, k, row, keys, h, scale);
                    // Σᵢ pᵢ · (dOut · vᵢ), which is dOut · out.
                    double delta = dot(dOut, row * d, out, row * d, d);
                    double[] dQuery = new double[d];
                    for (int i = 0; i < keys.length; i++) {
                        long key = key(keys[i], h, q, k);
                        double p = Math.exp(score[i] - lse.get(row));
                        double dScore = scale * p * (dot(dOut, row * d, v, key, d) - delta);
                        for (int e = 0; e < d; e++) {
                            dValues[(int) key + e] += p * dOut.get(row * d + e);
                            dKeys[(int) key + e] += dScore * q.get(row * d + e);
                            dQuery[e] += dScore * k.get(key + e);
                        }
                    }
                    for (int e = 0; e < d; e++) {
                        dQ.set(row * d + e, dQuery[e]);
                    }
                }
            }
        }
        for (int i = 0; i < dKeys.length; i++) {
            dK.set(i, dKeys[i]);
            dV.set(i, dValues[i]);
        }
    }

    /** Rows of k that query j of a segment sees: those of its ancestors, then its own up to itself; with a window, only the last ones within it. */
    private static int[] visible(Segments segments, int segment, int j, int window) {
        int own = segments.keyLength(segment) - segments.queryLength(segment) + j + 1;
        int[] keys = new int[segments.depth(segment) + own];
        for (int i = 0; i < own; i++) {
            keys[segments.depth(segment) + i] = segments.keyStart(segment) + i;
        }
        for (int s = segments.parent(segment); s != Segments.NONE; s = segments.parent(s)) {
            for (int i = 0; i < segments.keyLength(s); i++) {
                keys[segments.depth(s) + i] = segments.keyStart(s) + i;
            }
        }
        return window == 0 || keys.length <= window
                ? keys
                : Arrays.copyOfRange(keys, keys.length - window, keys.length);
    }

    private static double[] scores(Tensor q, Tensor k, long row, int[] keys, int h, double scale) {
        int d = (int) q.dim(2);
        double[] scores = new double[keys.length];
        for (int i = 0; i < keys.length; i++) {
            scores[i] = scale * dot(q, row * d, k, key(keys[i], h, q, k), d);
        }
        return scores;
    }

    /** First element of a key row's head that query head h reads. */
    private static long key(int keyRow, int h, Tensor q, Tensor k) {
        long group = h / (q.dim(1) / k.dim(1));
        return (keyRow * k.dim(1) + group) * k.dim(2);
    }

    private static double dot(Tensor a, long aStart, Tensor b, long bStart, int d) {
        double sum = 0;
        for (int e = 0; e < d; e++) {
            sum += a.get(aStart + e) * b.get(bStart + e);
        }
        return sum;
    }
}
