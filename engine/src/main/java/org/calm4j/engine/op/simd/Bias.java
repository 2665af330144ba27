package org.calm4j.engine.op.simd;

import static org.calm4j.engine.op.simd.vec.Vectors.FLOAT;
import static org.calm4j.engine.op.simd.vec.Vectors.FLOATS;
import static org.calm4j.engine.op.simd.vec.Vectors.LANES;
import static org.calm4j.engine.op.simd.vec.Vectors.MEMORY;
import static org.calm4j.engine.op.simd.vec.Vectors.ORDER;

import jdk.incubator.vector.FloatVector;
import org.calm4j.engine.op.simd.vec.Native;
import org.calm4j.engine.op.simd.vec.Scratch;
import org.calm4j.engine.op.simd.vec.Widen;
import org.calm4j.engine.op.simd.vec.WorkerPool;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;

/** The same row added to all rows of x (T,N), and sums of columns. */
final class Bias implements AutoCloseable {
    private static final int TASK_ROWS = 32;
    /** Columns of one task of the backward pass: four cache lines, so that threads share none. */
    private static final int TASK_COLUMNS = 64;
    /** Rows summed before they are added to the total: long chains of additions lose digits, and this many rows stay in the L1 cache. */
    private static final int BLOCK_ROWS = 64;

    private static final double PER_NANO = 3;

    private final WorkerPool pool;
    private final Scratch wideBias = new Scratch();
    private final WorkerPool.Task forwardTask = this::forward;
    private final WorkerPool.Task backwardTask = this::backward;

    private long x;
    private long bias;
    private int t;
    private int n;

    Bias(WorkerPool pool) {
        this.pool = pool;
    }

    /** Adds {@code x[t,n] += bias[n]}. */
    void forward(Tensor x, Tensor bias) {
        bind(x, bias);
        this.bias = Native.weight(bias, n);
        if (bias.type() != DType.F32) {
            long wide = wideBias.floats(n);
            Widen.row(wide, this.bias, bias.type(), n);
            this.bias = wide;
        }
        pool.run(forwardTask, (t + TASK_ROWS - 1) / TASK_ROWS, (long) (t * (double) n / PER_NANO));
    }

    /** Adds {@code dBias[n] += Σₜ dOut[t,n]}. */
    void backward(Tensor dBias, Tensor dOut) {
        bind(dOut, dBias);
        add(Native.f32(dBias, n), x, t, n);
    }

    /** Adds the rows of x (t,n) to one row, blocks of rows in order: each task has its own columns. */
    void add(long to, long x, int t, int n) {
        bias = to;
        this.x = x;
        this.t = t;
        this.n = n;
        pool.run(backwardTask, (n + TASK_COLUMNS - 1) / TASK_COLUMNS, (long) (t * (double) n / PER_NANO));
    }

    private void bind(Tensor x, Tensor bias) {
        t = (int) x.dim(0);
        n = (int) bias.size();
        this.x = Native.f32(x, (long) t * n);
    }

    private void forward(int task, int worker) {
        int end = Math.min(t, (task + 1) * TASK_ROWS);
        for (int i = task * TASK_ROWS; i < end; i++) {
            add(x + 4L * i * n, bias, n);
        }
    }

    /** {@code to[i] += from[i]}. */
    static void add(long to, long from, int count) {
        int i = 0;
        for (; i <= count - LANES; i += LANES) {
            FloatVector.fromMemorySegment(FLOATS, MEMORY, to + 4L * i, ORDER)
                    .add(FloatVector.fromMemorySegment(FLOATS, MEMORY, from + 4L * i, ORDER))
                    .intoMemorySegment(MEMORY, to + 4L * i, ORDER);
        }
        for (; i < count; i++) {
            MEMORY.set(FLOAT, to + 4L * i, MEMORY.get(FLOAT, to + 4L * i) + MEMORY.get(FLOAT, from + 4L * i));
        }
    }

    private void backward(int task, int worker) {
        int first = task * TASK_COLUMNS;
        int end = Math.min(n, first + TASK_COLUMNS);
        long stride = 4L * n;
        for (int row = 0; row < t; row += BLOCK_ROWS) {
            int rows = Math.min(BLOCK_ROWS, t - row);
            long block = x + row * stride;
            int i = first;
            for (; i <= end - LANES; i += LANES) {
                column(bias + 4L * i, block + 4L * i, stride, rows);
            }
            for (; i < end; i++) {
                float sum = 0;
                for (int r = 0; r < rows; r++) {
                    sum += MEMORY.get(FLOAT, block + r * stride + 4L * i);
                }
                MEMORY.set(FLOAT, bias + 4L * i, MEMORY.get(FLOAT, bias + 4L * i) + sum);
            }
        }
    }

    /** A vector of columns of one block of rows. */
    private static void column(long to, long from, long stride, int rows) {
        FloatVector sum = FloatVector.zero(FLOATS);
        for (int r = 0; r < rows; r++) {
            sum = sum.add(FloatVector.fromMemorySegment(FLOATS, MEMORY, from + r * stride, ORDER));
        }
        sum.add(FloatVector.fromMemorySegment(FLOATS, MEMORY, to, ORDER)).intoMemorySegment(MEMORY, to, ORDER);
    }

    @Override
    public void close() {
        wideBias.close();
    }
}
