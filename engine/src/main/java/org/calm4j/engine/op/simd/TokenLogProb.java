package org.calm4j.engine.op.simd;

import static org.calm4j.engine.op.simd.Lanes.ALL;
import static org.calm4j.engine.op.simd.Lanes.FLOAT;
import static org.calm4j.engine.op.simd.Lanes.INT;
import static org.calm4j.engine.op.simd.Lanes.LANES;
import static org.calm4j.engine.op.simd.Lanes.ORDER;
import static org.calm4j.engine.op.simd.Lanes.SPECIES;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import org.calm4j.engine.tensor.HostBuffer;
import org.calm4j.engine.tensor.Tensor;

/** {@code log softmax(x·wᵀ)} at one target per row, the logits of a chunk of rows at a time. */
final class TokenLogProb {
    private static final long MOST_LOGITS = 1 << 20;
    private static final int FEWEST_ROWS = 48;
    private static final int ROWS_PER_TASK = 8;

    private final Gemm gemm;
    private final WorkerPool pool;
    private HostBuffer logits = new HostBuffer(0);

    TokenLogProb(Gemm gemm, WorkerPool pool) {
        this.gemm = gemm;
        this.pool = pool;
    }

    void forward(Tensor logProb, Tensor lse, Tensor x, Tensor w, Tensor target) {
        int n = Math.toIntExact(x.dim(0));
        int v = Math.toIntExact(w.dim(0));
        int c = Math.toIntExact(w.dim(1));
        long from = Lanes.address(x, (long) n * c);
        long out = Lanes.address(logProb, n);
        long sums = Lanes.address(lse, n);
        long targets = targets(target, n, v);
        int chunk = chunk(n, v);
        long scratch = logits.segment().address();
        for (int first = 0; first < n; first += chunk) {
            int rows = Math.min(chunk, n - first);
            logits(scratch, from + 4L * first * c, w, rows, v, c);
            long row0 = first;
            pool.run((rows + ROWS_PER_TASK - 1) / ROWS_PER_TASK, task -> {
                for (int i = task * ROWS_PER_TASK; i < Math.min(rows, (task + 1) * ROWS_PER_TASK); i++) {
                    long row = scratch + 4L * i * v;
                    float max = max(row, v);
                    double log = Math.log(sumOfExp(row, max, v));
                    long at = 4 * (row0 + i);
                    ALL.set(FLOAT, sums + at, (float) (max + log));
                    ALL.set(FLOAT, out + at, (float) (ALL.get(FLOAT, row + 4L * ALL.get(INT, targets + at)) - (double) max - log));
                }
            });
        }
    }

    void backward(Tensor dX, Tensor dW, Tensor coefficient, Tensor x, Tensor w, Tensor target, Tensor lse) {
        int n = Math.toIntExact(x.dim(0));
        int v = Math.toIntExact(w.dim(0));
        int c = Math.toIntExact(w.dim(1));
        long from = Lanes.address(x, (long) n * c);
        long dx = Lanes.address(dX, (long) n * c);
        long coefficients = Lanes.address(coefficient, n);
        long sums = Lanes.address(lse, n);
        long targets = targets(target, n, v);
        int chunk = chunk(n, v);
        long scratch = logits.segment().address();
        for (int first = 0; first < n; first += chunk) {
            int rows = Math.min(chunk, n - first);
            logits(scratch, from + 4L * first * c, w, rows, v, c);
            long row0 = first;
            pool.run((rows + ROWS_PER_TASK - 1) / ROWS_PER_TASK, task -> {
                for (int i = task * ROWS_PER_TASK; i < Math.min(rows, (task + 1) * ROWS_PER_TASK); i++) {
                    long row = scratch + 4L * i * v;
                    long at = 4 * (row0 + i);
                    float scale = ALL.get(FLOAT, coefficients + at);
                    toGradient(row, ALL.get(FLOAT, sums + at), -scale, v);
                    long hit = row + 4L * ALL.get(INT, targets + at);
                    ALL.set(FLOAT, hit, ALL.get(FLOAT, hit) + scale);
                }
            });
            Gemm.Matrix d = Gemm.Matrix.rows(scratch, v);
            gemm.multiply(Gemm.Matrix.rows(dx + 4L * first * c, c), d, Linear.weight(w), rows, c, v, 1, false);
            if (dW != null) {
                gemm.multiply(Gemm.Matrix.rows(Lanes.address(dW, (long) v * c), c), d.transposed(),
                        Gemm.Matrix.rows(from + 4L * first * c, c), v, c, rows, 1, true);
            }
        }
    }

    private void logits(long to, long x, Tensor w, int rows, int v, int c) {
        gemm.multiply(Gemm.Matrix.rows(to, v), Gemm.Matrix.rows(x, c), Linear.weight(w).transposed(), rows, v, c, 1, false);
    }

    private static long targets(Tensor target, int n, int v) {
        for (int i = 0; i < n; i++) {
            if (target.getInt(i) < 0 || target.getInt(i) >= v) {
                throw new IndexOutOfBoundsException("target " + target.getInt(i) + " of " + v);
            }
        }
        return Lanes.address(target, n);
    }

    /** Rows whose logits are in memory together; depends on the sizes alone. */
    private int chunk(int n, int v) {
        int rows = (int) Math.min(n, Math.max(FEWEST_ROWS, MOST_LOGITS / v));
        if (logits.bytes() < 4L * rows * v) {
            logits.close();
            logits = new HostBuffer(4L * rows * v);
        }
        return Math.max(1, rows);
    }

    private static float max(long x, int n) {
        FloatVector m = FloatVector.broadcast(SPECIES, Float.NEGATIVE_INFINITY);
        int j = 0;
        for (; j + LANES <= n; j += LANES) {
            m = m.max(FloatVector.fromMemorySegment(SPECIES, ALL, x + 4L * j, ORDER));
        }
        float max = m.reduceLanes(VectorOperators.MAX);
        for (; j < n; j++) {
            max = Math.max(max, ALL.get(FLOAT, x + 4L * j));
        }
        return max;
    }

    private static double sumOfExp(long x, float max, int n) {
        FloatVector s = FloatVector.zero(SPECIES);
        int j = 0;
        for (; j + LANES <= n; j += LANES) {
            s = s.add(Exp.of(FloatVector.fromMemorySegment(SPECIES, ALL, x + 4L * j, ORDER).sub(max)));
        }
        double sum = Lanes.sum(s);
        for (; j < n; j++) {
            sum += Math.exp(ALL.get(FLOAT, x + 4L * j) - max);
        }
        return sum;
    }

    /** {@code x = factor · exp(x − lse)}. */
    private static void toGradient(long x, float lse, float factor, int n) {
        int j = 0;
        for (; j + LANES <= n; j += LANES) {
            Exp.of(FloatVector.fromMemorySegment(SPECIES, ALL, x + 4L * j, ORDER).sub(lse)).mul(factor).intoMemorySegment(ALL, x + 4L * j, ORDER);
        }
        for (; j < n; j++) {
            ALL.set(FLOAT, x + 4L * j, (float) (factor * Math.exp(ALL.get(FLOAT, x + 4L * j) - lse)));
        }
    }

    void close() {
        logits.close();
    }
}
