package org.calm4j.engine.op.simd;

import static org.calm4j.engine.op.simd.Vectors.FLOAT;
import static org.calm4j.engine.op.simd.Vectors.INT;
import static org.calm4j.engine.op.simd.Vectors.MEMORY;

import org.calm4j.engine.tensor.Tensor;

/** {@code log softmax(x·wᵀ)} at one target per row: x (N,C), w (V,C); the logits of a chunk of rows at a time. */
final class TokenLogProb implements AutoCloseable {
    /** Logits kept at once, unless {@link #LEAST_ROWS} rows are more. */
    private static final long CHUNK = 1 << 20;
    private static final int LEAST_ROWS = 48;
    private static final int TASK_ROWS = 4;
    private static final double PER_NANO = 1;

    private final WorkerPool pool;
    private final Linear linear;
    private final Scratch scratch = new Scratch();
    private final WorkerPool.Task forwardTask = this::forward;
    private final WorkerPool.Task backwardTask = this::backward;

    private long logits;
    private long logProb;
    private long lse;
    private long target;
    private long coefficient;
    private int rows;
    /** Bytes from one row of logits to the next: whole vectors. */
    private long stride;
    private int v;

    TokenLogProb(WorkerPool pool, Linear linear) {
        this.pool = pool;
        this.linear = linear;
    }

    /** Sets logProb (N) and lse (N). */
    void forward(Tensor logProb, Tensor lse, Tensor x, Tensor w, Tensor target) {
        int n = (int) x.dim(0);
        int c = (int) x.dim(1);
        v = (int) w.dim(0);
        long logProbs = Native.f32(logProb, n);
        long lses = Native.f32(lse, n);
        long xs = Native.f32(x, x.size());
        long weight = Native.weight(w, (long) v * c);
        long targets = Native.indices(target, n, v);
        int chunk = chunkRows(n);
        stride = 4L * Vectors.roundUp(v);
        logits = scratch.floats(chunk * stride / 4);
        for (int first = 0; first < n; first += chunk) {
            rows = Math.min(chunk, n - first);
            linear.forward(logits, xs + 4L * first * c, weight, w.type(), rows, v, c, 1, false, stride);
            this.logProb = logProbs + 4L * first;
            this.lse = lses + 4L * first;
            this.target = targets + 4L * first;
            pool.run(forwardTask, (rows + TASK_ROWS - 1) / TASK_ROWS, (long) (rows * (double) v / PER_NANO));
        }
    }

    /**
     * With {@code dLogit[v] = coefficient (1{v = target} − softmax[v])}: sets {@code dX = dLogit·w}, adds {@code dW += dLogitᵀ·x} unless dW
     * is null.
     */
    void backward(Tensor dX, Tensor dW, Tensor coefficient, Tensor x, Tensor w, Tensor target, Tensor lse) {
        int n = (int) x.dim(0);
        int c = (int) x.dim(1);
        v = (int) w.dim(0);
        long dXs = Native.f32(dX, x.size());
        long dWeight = dW == null ? 0 : Native.f32(dW, (long) v * c);
        long coefficients = Native.f32(coefficient, n);
        long xs = Native.f32(x, x.size());
        long weight = Native.weight(w, (long) v * c);
        long targets = Native.indices(target, n, v);
        long lses = Native.f32(lse, n);
        int chunk = chunkRows(n);
        stride = 4L * Vectors.roundUp(v);
        logits = scratch.floats(chunk * stride / 4);
        for (int first = 0; first < n; first += chunk) {
            rows = Math.min(chunk, n - first);
            long chunkX = xs + 4L * first * c;
            linear.forward(logits, chunkX, weight, w.type(), rows, v, c, 1, false, stride);
            this.coefficient = coefficients + 4L * first;
            this.lse = lses + 4L * first;
            this.target = targets + 4L * first;
            pool.run(backwardTask, (rows + TASK_ROWS - 1) / TASK_ROWS, (long) (rows * (double) v / PER_NANO));
            linear.backwardInput(dXs + 4L * first * c, logits, weight, w.type(), rows, v, c, 1, false, stride);
            if (dW != null) {
                linear.backwardWeight(dWeight, logits, chunkX, rows, v, c, 1, stride);
            }
        }
    }

    private int chunkRows(int n) {
        return (int) Math.min(n, Math.max(LEAST_ROWS, CHUNK / v));
    }

    private void forward(int task, int worker) {
        int end = Math.min(rows, (task + 1) * TASK_ROWS);
        for (int i = task * TASK_ROWS; i < end; i++) {
            long row = logits + i * stride;
            double logit = MEMORY.get(FLOAT, row + 4L * MEMORY.get(INT, target + 4L * i));
            float max = Exp.max(row, v);
            double logSum = Math.log(Exp.wholeVectors(row, v, 1, max));
            MEMORY.set(FLOAT, lse + 4L * i, (float) (max + logSum));
            MEMORY.set(FLOAT, logProb + 4L * i, (float) (logit - max - logSum));
        }
    }

    /** Logits become their gradients. */
    private void backward(int task, int worker) {
        int end = Math.min(rows, (task + 1) * TASK_ROWS);
        for (int i = task * TASK_ROWS; i < end; i++) {
            long row = logits + i * stride;
            float factor = MEMORY.get(FLOAT, coefficient + 4L * i);
            Exp.wholeVectors(row, v, 1, MEMORY.get(FLOAT, lse + 4L * i));
            long at = row + 4L * MEMORY.get(INT, target + 4L * i);
            // Before the scaling: 1 − p is more exact than c − c·p.
            MEMORY.set(FLOAT, at, MEMORY.get(FLOAT, at) - 1);
            Scale.row(row, -factor, v);
        }
    }

    @Override
    public void close() {
        scratch.close();
    }
}
