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

/** {@code silu(gate) · up} (Shazeer 2020), {@code silu(x) = x σ(x)}; all (T,F). */
final class SwiGlu implements AutoCloseable {
    /** Elements of a task: their exponentials stay in the L1 cache. */
    private static final int TASK = 2048;

    private static final double PER_NANO = 1;

    private final WorkerPool pool;
    private final Scratch[] own;
    private final WorkerPool.Task forwardTask = this::forward;
    private final WorkerPool.Task backwardTask = this::backward;

    private long out;
    private long gate;
    private long up;
    private long dGate;
    private long dUp;
    private long dOut;
    private long size;

    SwiGlu(WorkerPool pool) {
        this.pool = pool;
        own = new Scratch[pool.threads()];
        for (int i = 0; i < own.length; i++) {
            own[i] = new Scratch();
        }
    }

    /** Sets out. */
    void forward(Tensor out, Tensor gate, Tensor up) {
        size = out.size();
        this.out = Native.f32(out, size);
        this.gate = Native.f32(gate, size);
        this.up = Native.f32(up, size);
        pool.run(forwardTask, tasks(), (long) (size / PER_NANO));
    }

    /** Sets dGate and dUp, which may be gate and up: {@code silu'(x) = σ(x) (1 + x (1 − σ(x)))}. */
    void backward(Tensor dGate, Tensor dUp, Tensor dOut, Tensor gate, Tensor up) {
        size = dOut.size();
        this.dGate = Native.f32(dGate, size);
        this.dUp = Native.f32(dUp, size);
        this.dOut = Native.f32(dOut, size);
        this.gate = Native.f32(gate, size);
        this.up = Native.f32(up, size);
        pool.run(backwardTask, tasks(), (long) (size / PER_NANO));
    }

    private int tasks() {
        return Math.toIntExact((size + TASK - 1) / TASK);
    }

    private void forward(int task, int worker) {
        long at = 4L * task * TASK;
        int count = (int) Math.min(TASK, size - (long) task * TASK);
        long exp = own[worker].floats(TASK);
        Exp.row(exp, gate + at, count, -1, 0);
        forward(out + at, gate + at, up + at, exp, count);
    }

    /** @param exp e^−gate */
    private static void forward(long out, long gate, long up, long exp, int count) {
        int i = 0;
        for (; i <= count - LANES; i += LANES) {
            FloatVector g = FloatVector.fromMemorySegment(FLOATS, MEMORY, gate + 4L * i, ORDER);
            FloatVector u = FloatVector.fromMemorySegment(FLOATS, MEMORY, up + 4L * i, ORDER);
            FloatVector e = FloatVector.fromMemorySegment(FLOATS, MEMORY, exp + 4L * i, ORDER);
            g.mul(u).div(e.add(1)).intoMemorySegment(MEMORY, out + 4L * i, ORDER);
        }
        for (; i < count; i++) {
            float product = MEMORY.get(FLOAT, gate + 4L * i) * MEMORY.get(FLOAT, up + 4L * i);
            MEMORY.set(FLOAT, out + 4L * i, product / (1 + MEMORY.get(FLOAT, exp + 4L * i)));
        }
    }

    private void backward(int task, int worker) {
        long at = 4L * task * TASK;
        int count = (int) Math.min(TASK, size - (long) task * TASK);
        long exp = own[worker].floats(TASK);
        Exp.row(exp, gate + at, count, -1, 0);
        backward(dGate + at, dUp + at, dOut + at, gate + at, up + at, exp, count);
    }

    private static void backward(long dGate, long dUp, long dOut, long gate, long up, long exp, int count) {
        FloatVector one = FloatVector.broadcast(FLOATS, 1);
        int i = 0;
        for (; i <= count - LANES; i += LANES) {
            FloatVector g = FloatVector.fromMemorySegment(FLOATS, MEMORY, gate + 4L * i, ORDER);
            FloatVector u = FloatVector.fromMemorySegment(FLOATS, MEMORY, up + 4L * i, ORDER);
            FloatVector d = FloatVector.fromMemorySegment(FLOATS, MEMORY, dOut + 4L * i, ORDER);
            FloatVector e = FloatVector.fromMemorySegment(FLOATS, MEMORY, exp + 4L * i, ORDER);
            FloatVector s = one.div(e.add(1));
            FloatVector ds = d.mul(s);
            // 1 − σ = e·σ without cancellation.
            ds.mul(u).mul(g.mul(e.mul(s)).add(1)).intoMemorySegment(MEMORY, dGate + 4L * i, ORDER);
            ds.mul(g).intoMemorySegment(MEMORY, dUp + 4L * i, ORDER);
        }
        for (; i < count; i++) {
            float g = MEMORY.get(FLOAT, gate + 4L * i);
            float e = MEMORY.get(FLOAT, exp + 4L * i);
            float s = 1 / (1 + e);
            float ds = MEMORY.get(FLOAT, dOut + 4L * i) * s;
            MEMORY.set(FLOAT, dGate + 4L * i, ds * MEMORY.get(FLOAT, up + 4L * i) * (1 + g * (e * s)));
            MEMORY.set(FLOAT, dUp + 4L * i, ds * g);
        }
    }

    @Override
    public void close() {
        for (Scratch scratch : own) {
            scratch.close();
        }
    }
}
