package org.calm4j.engine.op.simd;

import static org.calm4j.engine.op.simd.vec.Vectors.FLOAT;
import static org.calm4j.engine.op.simd.vec.Vectors.FLOATS;
import static org.calm4j.engine.op.simd.vec.Vectors.LANES;
import static org.calm4j.engine.op.simd.vec.Vectors.MEMORY;
import static org.calm4j.engine.op.simd.vec.Vectors.ORDER;

import jdk.incubator.vector.FloatVector;
import org.calm4j.engine.op.simd.vec.Exp;
import org.calm4j.engine.op.simd.vec.Native;
import org.calm4j.engine.op.simd.vec.Scratch;
import org.calm4j.engine.op.simd.vec.WorkerPool;
import org.calm4j.engine.tensor.Tensor;

/**
 * {@code x/2 (1 + tanh u)} with {@code u = √(2/π)(x + 0.044715 x³)} (Hendrycks &amp; Gimpel 2016), which is {@code x σ(2u)}; all (T,F).
 */
final class Gelu implements AutoCloseable {
    /** Elements of a task: their exponentials stay in the L1 cache. */
    private static final int TASK = 2048;

    private static final double PER_NANO = 1;
    /** {@code 2u = LINEAR x + CUBIC x³}. */
    private static final float LINEAR = (float) (2 * Math.sqrt(2 / Math.PI));

    private static final float CUBIC = (float) (2 * Math.sqrt(2 / Math.PI) * 0.044715);

    private final WorkerPool pool;
    private final Scratch[] own;
    private final WorkerPool.Task forwardTask = this::forward;
    private final WorkerPool.Task backwardTask = this::backward;

    private long out;
    private long x;
    private long dX;
    private long dOut;
    private long size;

    Gelu(WorkerPool pool) {
        this.pool = pool;
        own = new Scratch[pool.threads()];
        for (int i = 0; i < own.length; i++) {
            own[i] = new Scratch();
        }
    }

    /** Sets out. */
    void forward(Tensor out, Tensor x) {
        size = out.size();
        this.out = Native.f32(out, size);
        this.x = Native.f32(x, size);
        pool.run(forwardTask, tasks(), (long) (size / PER_NANO));
    }

    /** Sets dX, which may be x or dOut: {@code gelu' = σ(2u) (1 + x (1 − σ(2u)) 2u')}. */
    void backward(Tensor dX, Tensor dOut, Tensor x) {
        size = dOut.size();
        this.dX = Native.f32(dX, size);
        this.dOut = Native.f32(dOut, size);
        this.x = Native.f32(x, size);
        pool.run(backwardTask, tasks(), (long) (size / PER_NANO));
    }

    private int tasks() {
        return Math.toIntExact((size + TASK - 1) / TASK);
    }

    private void forward(int task, int worker) {
        long at = 4L * task * TASK;
        int count = (int) Math.min(TASK, size - (long) task * TASK);
        long exp = exponentials(x + at, count, worker);
        forward(out + at, x + at, exp, count);
    }

    private void backward(int task, int worker) {
        long at = 4L * task * TASK;
        int count = (int) Math.min(TASK, size - (long) task * TASK);
        long exp = exponentials(x + at, count, worker);
        backward(dX + at, dOut + at, x + at, exp, count);
    }

    /** The address of e^−2u of a task's elements. */
    private long exponentials(long x, int count, int worker) {
        long exp = own[worker].floats(TASK);
        argument(exp, x, count);
        Exp.row(exp, exp, count, -1, 0);
        return exp;
    }

    private static void argument(long to, long x, int count) {
        FloatVector linear = FloatVector.broadcast(FLOATS, LINEAR);
        int i = 0;
        for (; i <= count - LANES; i += LANES) {
            FloatVector v = FloatVector.fromMemorySegment(FLOATS, MEMORY, x + 4L * i, ORDER);
            v.mul(v)
                    .fma(FloatVector.broadcast(FLOATS, CUBIC), linear)
                    .mul(v)
                    .intoMemorySegment(MEMORY, to + 4L * i, ORDER);
        }
        for (; i < count; i++) {
            float v = MEMORY.get(FLOAT, x + 4L * i);
            MEMORY.set(FLOAT, to + 4L * i, Math.fma(v * v, CUBIC, LINEAR) * v);
        }
    }

    private static void forward(long out, long x, long exp, int count) {
        int i = 0;
        for (; i <= count - LANES; i += LANES) {
            FloatVector e = FloatVector.fromMemorySegment(FLOATS, MEMORY, exp + 4L * i, ORDER);
            FloatVector.fromMemorySegment(FLOATS, MEMORY, x + 4L * i, ORDER)
                    .div(e.add(1))
                    .intoMemorySegment(MEMORY, out + 4L * i, ORDER);
        }
        for (; i < count; i++) {
            MEMORY.set(FLOAT, out + 4L * i, MEMORY.get(FLOAT, x + 4L * i) / (1 + MEMORY.get(FLOAT, exp + 4L * i)));
        }
    }

    private static void backward(long dX, long dOut, long x, long exp, int count) {
        FloatVector one = FloatVector.broadcast(FLOATS, 1);
        FloatVector linear = FloatVector.broadcast(FLOATS, LINEAR);
        int i = 0;
        for (; i <= count - LANES; i += LANES) {
            FloatVector v = FloatVector.fromMemorySegment(FLOATS, MEMORY, x + 4L * i, ORDER);
            FloatVector e = FloatVector.fromMemorySegment(FLOATS, MEMORY, exp + 4L * i, ORDER);
            FloatVector s = one.div(e.add(1));
            FloatVector slope = v.mul(v)
                    .fma(FloatVector.broadcast(FLOATS, 3 * CUBIC), linear)
                    .mul(v);
            // 1 − σ = e·σ without cancellation.
            FloatVector.fromMemorySegment(FLOATS, MEMORY, dOut + 4L * i, ORDER)
                    .mul(s)
                    .mul(slope.mul(e.mul(s)).add(1))
                    .intoMemorySegment(MEMORY, dX + 4L * i, ORDER);
        }
        for (; i < count; i++) {
            float v = MEMORY.get(FLOAT, x + 4L * i);
            float e = MEMORY.get(FLOAT, exp + 4L * i);
            float s = 1 / (1 + e);
            float slope = Math.fma(v * v, 3 * CUBIC, LINEAR) * v;
            MEMORY.set(FLOAT, dX + 4L * i, MEMORY.get(FLOAT, dOut + 4L * i) * s * (1 + slope * (e * s)));
        }
    }

    @Override
    public void close() {
        for (Scratch scratch : own) {
            scratch.close();
        }
    }
}
