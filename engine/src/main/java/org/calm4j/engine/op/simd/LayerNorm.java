package org.calm4j.engine.op.simd;

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

/** Layer norm (Ba et al. 2016) of the rows of x (T,C) with a weight and a bias (C). */
final class LayerNorm implements AutoCloseable {
    private static final int TASK_ROWS = 32;
    private static final double PER_NANO = 1;

    private final WorkerPool pool;
    private final Bias columns;
    private final Scratch wide = new Scratch();
    /** (T,C): the terms of dW, which are summed over rows. */
    private final Scratch products = new Scratch();

    private final WorkerPool.Task forwardTask = this::forward;
    private final WorkerPool.Task backwardTask = this::backward;

    private long out;
    private long mean;
    private long rstd;
    private long x;
    /** 0 for none. */
    private long residual;

    private long w;
    private long bias;
    private long dX;
    private long dOut;
    private long product;
    private boolean weighted;
    private double epsilon;
    private int t;
    private int c;

    LayerNorm(WorkerPool pool, Bias columns) {
        this.pool = pool;
        this.columns = columns;
    }

    /**
     * Adds {@code x += residual} unless that is null; sets mean (T), {@code rstd[t] = 1/√(mean((x − mean)²) + ε)} and
     * {@code out[t,c] = (x[t,c] − mean[t]) · rstd[t] · w[c] + bias[c]}.
     */
    void forward(
            Tensor out, Tensor mean, Tensor rstd, Tensor x, Tensor residual, Tensor w, Tensor bias, double epsilon) {
        bind(x, mean, rstd);
        this.residual = residual == null ? 0 : Native.f32(residual, x.size());
        long widened = wide.floats(2L * c);
        this.w = widened(w, widened);
        this.bias = widened(bias, widened + 4L * c);
        this.out = Native.f32(out, x.size());
        this.epsilon = epsilon;
        pool.run(forwardTask, tasks(), (long) (t * (double) c / PER_NANO));
    }

    /**
     * Adds {@code dX = r (g − mean(g) − x̂ mean(g x̂))} with {@code x̂ = (x − mean) r} and {@code g = dOut · w}; adds
     * {@code dW[c] += Σₜ dOut[t,c] x̂[t,c]} and {@code dBias[c] += Σₜ dOut[t,c]} unless they are null.
     */
    void backward(Tensor dX, Tensor dW, Tensor dBias, Tensor dOut, Tensor x, Tensor w, Tensor mean, Tensor rstd) {
        bind(x, mean, rstd);
        this.w = widened(w, wide.floats(2L * c));
        this.dX = Native.f32(dX, x.size());
        this.dOut = Native.f32(dOut, x.size());
        weighted = dW != null;
        product = weighted ? products.floats(x.size()) : 0;
        pool.run(backwardTask, tasks(), (long) (2 * t * (double) c / PER_NANO));
        if (weighted) {
            columns.add(Native.f32(dW, c), product, t, c);
            columns.backward(dBias, dOut);
        }
    }

    private void bind(Tensor x, Tensor mean, Tensor rstd) {
        t = (int) x.dim(0);
        c = (int) x.dim(1);
        this.x = Native.f32(x, x.size());
        this.mean = Native.f32(mean, t);
        this.rstd = Native.f32(rstd, t);
    }

    /** The address of a weight in F32: its own, or that of its copy. */
    private long widened(Tensor weight, long copy) {
        long address = Native.weight(weight, c);
        if (weight.type() == DType.F32) {
            return address;
        }
        Widen.row(copy, address, weight.type(), c);
        return copy;
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
            float m = (float) ((double) sum(row, c) / c);
            float r = (float) (1 / Math.sqrt((double) squares(row, m, c) / c + epsilon));
            MEMORY.set(FLOAT, mean + 4L * i, m);
            MEMORY.set(FLOAT, rstd + 4L * i, r);
            normalize(out + 4L * i * c, row, w, bias, m, r, c);
        }
    }

    private static float sum(long x, int c) {
        FloatVector sum = FloatVector.zero(FLOATS);
        int i = 0;
        for (; i <= c - LANES; i += LANES) {
            sum = sum.add(FloatVector.fromMemorySegment(FLOATS, MEMORY, x + 4L * i, ORDER));
        }
        float all = lanes(sum);
        for (; i < c; i++) {
            all += MEMORY.get(FLOAT, x + 4L * i);
        }
        return all;
    }

    /** {@code Σ (x − mean)²}. */
    private static float squares(long x, float mean, int c) {
        FloatVector sum = FloatVector.zero(FLOATS);
        int i = 0;
        for (; i <= c - LANES; i += LANES) {
            FloatVector centred = FloatVector.fromMemorySegment(FLOATS, MEMORY, x + 4L * i, ORDER)
                    .sub(mean);
            sum = centred.fma(centred, sum);
        }
        float all = lanes(sum);
        for (; i < c; i++) {
            float centred = MEMORY.get(FLOAT, x + 4L * i) - mean;
            all = Math.fma(centred, centred, all);
        }
        return all;
    }

    private static float lanes(FloatVector sum) {
        if (LANES > 8) {
            sum = sum.add(sum.rearrange(FOLD8));
        }
        if (LANES > 4) {
            sum = sum.add(sum.rearrange(FOLD4));
        }
        sum = sum.add(sum.rearrange(FOLD2));
        return sum.add(sum.rearrange(FOLD1)).lane(0);
    }

    private static void normalize(long out, long x, long w, long bias, float mean, float r, int c) {
        FloatVector scale = FloatVector.broadcast(FLOATS, r);
        int i = 0;
        for (; i <= c - LANES; i += LANES) {
            FloatVector.fromMemorySegment(FLOATS, MEMORY, x + 4L * i, ORDER)
                    .sub(mean)
                    .mul(scale)
                    .fma(
                            FloatVector.fromMemorySegment(FLOATS, MEMORY, w + 4L * i, ORDER),
                            FloatVector.fromMemorySegment(FLOATS, MEMORY, bias + 4L * i, ORDER))
                    .intoMemorySegment(MEMORY, out + 4L * i, ORDER);
        }
        for (; i < c; i++) {
            float normal = (MEMORY.get(FLOAT, x + 4L * i) - mean) * r;
            MEMORY.set(
                    FLOAT,
                    out + 4L * i,
                    Math.fma(normal, MEMORY.get(FLOAT, w + 4L * i), MEMORY.get(FLOAT, bias + 4L * i)));
        }
    }

    private void backward(int task, int worker) {
        int end = Math.min(t, (task + 1) * TASK_ROWS);
        for (int i = task * TASK_ROWS; i < end; i++) {
            long at = 4L * i * c;
            float m = MEMORY.get(FLOAT, mean + 4L * i);
            float r = MEMORY.get(FLOAT, rstd + 4L * i);
            float meanG = (float) ((double) Dot.one(dOut + at, w, c) / c);
            float meanGx = (float) ((double) product(dOut + at, x + at, w, m, c) * r / c);
            input(dX + at, dOut + at, x + at, w, m, r, meanG, meanGx, c);
            if (weighted) {
                weight(product + at, dOut + at, x + at, m, r, c);
            }
        }
    }

    /** {@code Σ dOut·(x − mean)·w}. */
    private static float product(long dOut, long x, long w, float mean, int c) {
        FloatVector sum = FloatVector.zero(FLOATS);
        int i = 0;
        for (; i <= c - LANES; i += LANES) {
            FloatVector centred = FloatVector.fromMemorySegment(FLOATS, MEMORY, x + 4L * i, ORDER)
                    .sub(mean);
            sum = FloatVector.fromMemorySegment(FLOATS, MEMORY, dOut + 4L * i, ORDER)
                    .mul(FloatVector.fromMemorySegment(FLOATS, MEMORY, w + 4L * i, ORDER))
                    .fma(centred, sum);
        }
        float all = lanes(sum);
        for (; i < c; i++) {
            float g = MEMORY.get(FLOAT, dOut + 4L * i) * MEMORY.get(FLOAT, w + 4L * i);
            all = Math.fma(g, MEMORY.get(FLOAT, x + 4L * i) - mean, all);
        }
        return all;
    }

    /** {@code dX += r·(dOut·w − meanG − (x − mean)·r·meanGx)}. */
    private static void input(
            long dX, long dOut, long x, long w, float mean, float r, float meanG, float meanGx, int c) {
        FloatVector scale = FloatVector.broadcast(FLOATS, r);
        FloatVector factor = FloatVector.broadcast(FLOATS, -r * meanGx);
        int i = 0;
        for (; i <= c - LANES; i += LANES) {
            FloatVector g = FloatVector.fromMemorySegment(FLOATS, MEMORY, dOut + 4L * i, ORDER)
                    .mul(FloatVector.fromMemorySegment(FLOATS, MEMORY, w + 4L * i, ORDER))
                    .sub(meanG);
            FloatVector.fromMemorySegment(FLOATS, MEMORY, x + 4L * i, ORDER)
                    .sub(mean)
                    .fma(factor, g)
                    .fma(scale, FloatVector.fromMemorySegment(FLOATS, MEMORY, dX + 4L * i, ORDER))
                    .intoMemorySegment(MEMORY, dX + 4L * i, ORDER);
        }
        for (; i < c; i++) {
            float g = MEMORY.get(FLOAT, dOut + 4L * i) * MEMORY.get(FLOAT, w + 4L * i) - meanG;
            float change = Math.fma(MEMORY.get(FLOAT, x + 4L * i) - mean, -r * meanGx, g);
            MEMORY.set(FLOAT, dX + 4L * i, Math.fma(change, r, MEMORY.get(FLOAT, dX + 4L * i)));
        }
    }

    /** Sets {@code to = dOut·(x − mean)·r}. */
    private static void weight(long to, long dOut, long x, float mean, float r, int c) {
        FloatVector scale = FloatVector.broadcast(FLOATS, r);
        int i = 0;
        for (; i <= c - LANES; i += LANES) {
            FloatVector.fromMemorySegment(FLOATS, MEMORY, x + 4L * i, ORDER)
                    .sub(mean)
                    .mul(scale)
                    .mul(FloatVector.fromMemorySegment(FLOATS, MEMORY, dOut + 4L * i, ORDER))
                    .intoMemorySegment(MEMORY, to + 4L * i, ORDER);
        }
        for (; i < c; i++) {
            float normal = (MEMORY.get(FLOAT, x + 4L * i) - mean) * r;
            MEMORY.set(FLOAT, to + 4L * i, normal * MEMORY.get(FLOAT, dOut + 4L * i));
        }
    }

    @Override
    public void close() {
        wide.close();
        products.close();
    }
}
