package org.calm4j.engine.op.simd;

import static org.calm4j.engine.op.simd.vec.Vectors.BYTES;
import static org.calm4j.engine.op.simd.vec.Vectors.FLOAT;
import static org.calm4j.engine.op.simd.vec.Vectors.FLOATS;
import static org.calm4j.engine.op.simd.vec.Vectors.FOLD1;
import static org.calm4j.engine.op.simd.vec.Vectors.FOLD2;
import static org.calm4j.engine.op.simd.vec.Vectors.FOLD4;
import static org.calm4j.engine.op.simd.vec.Vectors.FOLD8;
import static org.calm4j.engine.op.simd.vec.Vectors.LANES;
import static org.calm4j.engine.op.simd.vec.Vectors.MEMORY;
import static org.calm4j.engine.op.simd.vec.Vectors.ORDER;

import jdk.incubator.vector.FloatVector;
import org.calm4j.engine.op.simd.vec.Dot;
import org.calm4j.engine.op.simd.vec.Native;
import org.calm4j.engine.op.simd.vec.Scratch;
import org.calm4j.engine.op.simd.vec.Widen;
import org.calm4j.engine.op.simd.vec.WorkerPool;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;

/** Root-mean-square norm (Zhang &amp; Sennrich 2019) of the rows of x (T,C) with a weight (C). */
final class RmsNorm implements AutoCloseable {
    /** Rows of a task; in the backward pass also of one partial sum of dW. */
    private static final int TASK_ROWS = 32;

    private static final int TASK_COLUMNS = 64;
    private static final double PER_NANO = 2;

    private final WorkerPool pool;
    private final Scratch wideWeight = new Scratch();
    /** (tasks,C): sums of dW over the rows of each task. */
    private final Scratch partial = new Scratch();

    private final WorkerPool.Task forwardTask = this::forward;
    private final WorkerPool.Task backwardTask = this::backward;
    private final WorkerPool.Task weightTask = this::sumWeight;

    private long out;
    private long rstd;
    private long x;
    /** 0 for none. */
    private long residual;

    private long w;
    private long dX;
    private long dW;
    private long dOut;
    private long sums;
    private boolean weighted;
    private double epsilon;
    private int t;
    private int c;

    RmsNorm(WorkerPool pool) {
        this.pool = pool;
    }

    /**
     * Adds {@code x += residual} unless that is null; sets {@code rstd[t] = 1/√(mean(x²) + ε)} and {@code out[t,c] = x[t,c] · rstd[t] · w[c]}.
     */
    void forward(Tensor out, Tensor rstd, Tensor x, Tensor residual, Tensor w, double epsilon) {
        bind(x, w, rstd);
        this.residual = residual == null ? 0 : Native.f32(residual, x.size());
        this.out = Native.f32(out, x.size());
        this.epsilon = epsilon;
        pool.run(forwardTask, tasks(), (long) (t * (double) c / PER_NANO));
    }

    /** Adds {@code dX = r (g − x r² mean(g x))} with {@code g = dOut · w}, and {@code dW[c] += Σₜ dOut[t,c] x[t,c] r[t]} unless null. */
    void backward(Tensor dX, Tensor dW, Tensor dOut, Tensor x, Tensor w, Tensor rstd) {
        bind(x, w, rstd);
        this.dX = Native.f32(dX, x.size());
        this.dOut = Native.f32(dOut, x.size());
        weighted = dW != null;
        this.dW = weighted ? Native.f32(dW, c) : 0;
        sums = weighted ? partial.floats((long) tasks() * c) : 0;
        pool.run(backwardTask, tasks(), (long) (2 * t * (double) c / PER_NANO));
        if (weighted) {
            pool.run(weightTask, (c + TASK_COLUMNS - 1) / TASK_COLUMNS, (long) (tasks() * (double) c / PER_NANO));
        }
    }

    private void bind(Tensor x, Tensor w, Tensor rstd) {
        t = (int) x.dim(0);
        c = (int) x.dim(1);
        this.x = Native.f32(x, x.size());
        this.rstd = Native.f32(rstd, t);
        this.w = Native.weight(w, c);
        if (w.type() != DType.F32) {
            long wide = wideWeight.floats(c);
            Widen.row(wide, this.w, w.type(), c);
            this.w = wide;
        }
    }

    private int tasks() {
        return (t + TASK_ROWS - 1) / TASK_ROWS;
    }

    private void forward(int task, int worker) {
        int end = Math.min(t, (task + 1) * TASK_ROWS);
        for (int i = task * TASK_ROWS; i < end; i++) {
            long row = x + 4L * i * c;
            if (residual != 0) {
                Bias.add(row, residual + 4L * i * c, c);
            }
            double r = 1 / Math.sqrt((double) Dot.one(row, row, c) / c + epsilon);
            MEMORY.set(FLOAT, rstd + 4L * i, (float) r);
            scale(out + 4L * i * c, row, w, (float) r, c);
        }
    }

    private static void scale(long out, long x, long w, float r, int c) {
        FloatVector scale = FloatVector.broadcast(FLOATS, r);
        int i = 0;
        for (; i <= c - LANES; i += LANES) {
            FloatVector.fromMemorySegment(FLOATS, MEMORY, x + 4L * i, ORDER)
                    .mul(scale)
                    .mul(FloatVector.fromMemorySegment(FLOATS, MEMORY, w + 4L * i, ORDER))
                    .intoMemorySegment(MEMORY, out + 4L * i, ORDER);
        }
        for (; i < c; i++) {
            MEMORY.set(FLOAT, out + 4L * i, MEMORY.get(FLOAT, x + 4L * i) * r * MEMORY.get(FLOAT, w + 4L * i));
        }
    }

    private void backward(int task, int worker) {
        int first = task * TASK_ROWS;
        int end = Math.min(t, first + TASK_ROWS);
        long sum = sums + 4L * task * c;
        for (int i = first; i < end; i++) {
            long at = 4L * i * c;
            float r = MEMORY.get(FLOAT, rstd + 4L * i);
            double mean = (double) product(dOut + at, x + at, w, c) / c;
            input(dX + at, dOut + at, x + at, w, r, (float) (-mean * r * r * r), c);
            if (weighted && i == first) {
                setWeight(sum, dOut + at, x + at, r, c);
            } else if (weighted) {
                addWeight(sum, dOut + at, x + at, r, c);
            }
        }
    }

    /** {@code Σ a·b·w}. */
    private static float product(long a, long b, long w, int c) {
        FloatVector s0 = FloatVector.zero(FLOATS);
        FloatVector s1 = FloatVector.zero(FLOATS);
        int i = 0;
        for (; i <= c - 2 * LANES; i += 2 * LANES) {
            s0 = FloatVector.fromMemorySegment(FLOATS, MEMORY, a + 4L * i, ORDER)
                    .mul(FloatVector.fromMemorySegment(FLOATS, MEMORY, b + 4L * i, ORDER))
                    .fma(FloatVector.fromMemorySegment(FLOATS, MEMORY, w + 4L * i, ORDER), s0);
            s1 = FloatVector.fromMemorySegment(FLOATS, MEMORY, a + BYTES + 4L * i, ORDER)
                    .mul(FloatVector.fromMemorySegment(FLOATS, MEMORY, b + BYTES + 4L * i, ORDER))
                    .fma(FloatVector.fromMemorySegment(FLOATS, MEMORY, w + BYTES + 4L * i, ORDER), s1);
        }
        s0 = s0.add(s1);
        if (LANES > 8) {
            s0 = s0.add(s0.rearrange(FOLD8));
        }
        if (LANES > 4) {
            s0 = s0.add(s0.rearrange(FOLD4));
        }
        s0 = s0.add(s0.rearrange(FOLD2));
        float sum = s0.add(s0.rearrange(FOLD1)).lane(0);
        for (; i < c; i++) {
            sum += MEMORY.get(FLOAT, a + 4L * i) * MEMORY.get(FLOAT, b + 4L * i) * MEMORY.get(FLOAT, w + 4L * i);
        }
        return sum;
    }

    /** {@code dX += r·dOut·w + f·x}. */
    private static void input(long dX, long dOut, long x, long w, float r, float f, int c) {
        FloatVector scale = FloatVector.broadcast(FLOATS, r);
        FloatVector factor = FloatVector.broadcast(FLOATS, f);
        int i = 0;
        for (; i <= c - LANES; i += LANES) {
            FloatVector own = FloatVector.fromMemorySegment(FLOATS, MEMORY, dOut + 4L * i, ORDER)
                    .mul(FloatVector.fromMemorySegment(FLOATS, MEMORY, w + 4L * i, ORDER))
                    .mul(scale);
            FloatVector.fromMemorySegment(FLOATS, MEMORY, x + 4L * i, ORDER)
                    .fma(factor, own)
                    .add(FloatVector.fromMemorySegment(FLOATS, MEMORY, dX + 4L * i, ORDER))
                    .intoMemorySegment(MEMORY, dX + 4L * i, ORDER);
        }
        for (; i < c; i++) {
            float own = MEMORY.get(FLOAT, dOut + 4L * i) * MEMORY.get(FLOAT, w + 4L * i) * r;
            float change = Math.fma(MEMORY.get(FLOAT, x + 4L * i), f, own);
            MEMORY.set(FLOAT, dX + 4L * i, MEMORY.get(FLOAT, dX + 4L * i) + change);
        }
    }

    private static void setWeight(long sum, long dOut, long x, float r, int c) {
        FloatVector scale = FloatVector.broadcast(FLOATS, r);
        int i = 0;
        for (; i <= c - LANES; i += LANES) {
            FloatVector.fromMemorySegment(FLOATS, MEMORY, dOut + 4L * i, ORDER)
                    .mul(FloatVector.fromMemorySegment(FLOATS, MEMORY, x + 4L * i, ORDER))
                    .mul(scale)
                    .intoMemorySegment(MEMORY, sum + 4L * i, ORDER);
        }
        for (; i < c; i++) {
            MEMORY.set(FLOAT, sum + 4L * i, MEMORY.get(FLOAT, dOut + 4L * i) * MEMORY.get(FLOAT, x + 4L * i) * r);
        }
    }

    private static void addWeight(long sum, long dOut, long x, float r, int c) {
        FloatVector scale = FloatVector.broadcast(FLOATS, r);
        int i = 0;
        for (; i <= c - LANES; i += LANES) {
            FloatVector.fromMemorySegment(FLOATS, MEMORY, dOut + 4L * i, ORDER)
                    .mul(FloatVector.fromMemorySegment(FLOATS, MEMORY, x + 4L * i, ORDER))
                    .fma(scale, FloatVector.fromMemorySegment(FLOATS, MEMORY, sum + 4L * i, ORDER))
                    .intoMemorySegment(MEMORY, sum + 4L * i, ORDER);
        }
        for (; i < c; i++) {
            float product = MEMORY.get(FLOAT, dOut + 4L * i) * MEMORY.get(FLOAT, x + 4L * i);
            MEMORY.set(FLOAT, sum + 4L * i, Math.fma(product, r, MEMORY.get(FLOAT, sum + 4L * i)));
        }
    }

    /** The partial sums of a task's columns, in the order of rows. */
    private void sumWeight(int task, int worker) {
        int end = Math.min(c, (task + 1) * TASK_COLUMNS);
        for (int i = task * TASK_COLUMNS; i < end; i++) {
            float sum = 0;
            for (int block = 0; block < tasks(); block++) {
                sum += MEMORY.get(FLOAT, sums + 4L * ((long) block * c + i));
            }
            MEMORY.set(FLOAT, dW + 4L * i, MEMORY.get(FLOAT, dW + 4L * i) + sum);
        }
    }

    @Override
    public void close() {
        wideWeight.close();
        partial.close();
    }
}
