package org.calm4j.engine.op.simd;

import static org.calm4j.engine.op.simd.vec.Vectors.FLOAT;
import static org.calm4j.engine.op.simd.vec.Vectors.FLOATS;
import static org.calm4j.engine.op.simd.vec.Vectors.LANES;
import static org.calm4j.engine.op.simd.vec.Vectors.MEMORY;
import static org.calm4j.engine.op.simd.vec.Vectors.ORDER;

import jdk.incubator.vector.FloatVector;
import org.calm4j.engine.op.simd.vec.Native;
import org.calm4j.engine.op.simd.vec.WorkerPool;
import org.calm4j.engine.tensor.Tensor;

/** A factor for each column of x (T,N), and its gradient, a sum over each column. */
final class Scale {
    private static final int TASK_ROWS = 32;
    /** Columns of one task of the backward pass: four cache lines, so that threads share none. */
    private static final int TASK_COLUMNS = 64;
    /** Rows summed before they are added to the total: long chains of additions lose digits. */
    private static final int BLOCK_ROWS = 64;

    private static final double PER_NANO = 2;

    private final WorkerPool pool;
    private final WorkerPool.Task forwardTask = this::forward;
    private final WorkerPool.Task backwardTask = this::backward;

    private long out;
    private long x;
    private long scale;
    private int t;
    private int n;
    private boolean add;

    Scale(WorkerPool pool) {
        this.pool = pool;
    }

    /** {@code out[t,n] = scale[n] · x[t,n]}, or added to out. */
    void forward(Tensor out, Tensor x, Tensor scale, boolean add) {
        bind(out, x, scale);
        this.add = add;
        pool.run(forwardTask, (t + TASK_ROWS - 1) / TASK_ROWS, (long) (t * (double) n / PER_NANO));
    }

    /** Adds {@code dScale[n] += Σₜ dOut[t,n] · x[t,n]}, blocks of rows in order: each task has its own columns. */
    void backward(Tensor dScale, Tensor dOut, Tensor x) {
        bind(dOut, x, dScale);
        pool.run(backwardTask, (n + TASK_COLUMNS - 1) / TASK_COLUMNS, (long) (t * (double) n / PER_NANO));
    }

    private void bind(Tensor out, Tensor x, Tensor scale) {
        t = (int) x.dim(0);
        n = (int) scale.size();
        this.out = Native.f32(out, (long) t * n);
        this.x = Native.f32(x, (long) t * n);
        this.scale = Native.f32(scale, n);
    }

    private void forward(int task, int worker) {
        int end = Math.min(t, (task + 1) * TASK_ROWS);
        for (int row = task * TASK_ROWS; row < end; row++) {
            row(out + 4L * row * n, x + 4L * row * n);
        }
    }

    private void row(long to, long from) {
        int i = 0;
        for (; i <= n - LANES; i += LANES) {
            FloatVector factor = FloatVector.fromMemorySegment(FLOATS, MEMORY, scale + 4L * i, ORDER);
            FloatVector value = FloatVector.fromMemorySegment(FLOATS, MEMORY, from + 4L * i, ORDER);
            FloatVector sum = add
                    ? value.fma(factor, FloatVector.fromMemorySegment(FLOATS, MEMORY, to + 4L * i, ORDER))
                    : value.mul(factor);
            sum.intoMemorySegment(MEMORY, to + 4L * i, ORDER);
        }
        for (; i < n; i++) {
            float factor = MEMORY.get(FLOAT, scale + 4L * i);
            float value = MEMORY.get(FLOAT, from + 4L * i);
            MEMORY.set(
                    FLOAT, to + 4L * i, add ? Math.fma(value, factor, MEMORY.get(FLOAT, to + 4L * i)) : value * factor);
        }
    }

    private void backward(int task, int worker) {
        int first = task * TASK_COLUMNS;
        int end = Math.min(n, first + TASK_COLUMNS);
        for (int row = 0; row < t; row += BLOCK_ROWS) {
            block(first, end, row, Math.min(BLOCK_ROWS, t - row));
        }
    }

    private void block(int first, int end, int row, int rows) {
        long stride = 4L * n;
        long begin = row * stride;
        int i = first;
        for (; i <= end - LANES; i += LANES) {
            FloatVector sum = FloatVector.zero(FLOATS);
            for (int r = 0; r < rows; r++) {
                long at = begin + r * stride + 4L * i;
                sum = FloatVector.fromMemorySegment(FLOATS, MEMORY, out + at, ORDER)
                        .fma(FloatVector.fromMemorySegment(FLOATS, MEMORY, x + at, ORDER), sum);
            }
            sum.add(FloatVector.fromMemorySegment(FLOATS, MEMORY, scale + 4L * i, ORDER))
                    .intoMemorySegment(MEMORY, scale + 4L * i, ORDER);
        }
        for (; i < end; i++) {
            float sum = 0;
            for (int r = 0; r < rows; r++) {
                long at = begin + r * stride + 4L * i;
                sum = Math.fma(MEMORY.get(FLOAT, out + at), MEMORY.get(FLOAT, x + at), sum);
            }
            MEMORY.set(FLOAT, scale + 4L * i, MEMORY.get(FLOAT, scale + 4L * i) + sum);
        }
    }
}
