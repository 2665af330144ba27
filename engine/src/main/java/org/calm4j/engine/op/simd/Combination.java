package org.calm4j.engine.op.simd;

import static org.calm4j.engine.op.simd.vec.Vectors.FLOAT;
import static org.calm4j.engine.op.simd.vec.Vectors.MEMORY;

import org.calm4j.engine.op.simd.vec.Native;
import org.calm4j.engine.op.simd.vec.WorkerPool;
import org.calm4j.engine.tensor.Tensor;

/** A weighted sum of two tensors in double precision: a moving average in F32 would drift by the rounding of its weights. */
final class Combination {
    private static final int TASK = 16_384;
    private static final double PER_NANO = 1;

    private final WorkerPool pool;
    private final WorkerPool.Task task = this::apply;

    private long y;
    private long x;
    private double a;
    private double b;
    private long size;

    Combination(WorkerPool pool) {
        this.pool = pool;
    }

    /** {@code y[i] = a·y[i] + b·x[i]}. */
    void apply(Tensor y, double a, Tensor x, double b) {
        size = x.size();
        this.y = Native.f32(y, size);
        this.x = Native.f32(x, size);
        this.a = a;
        this.b = b;
        pool.run(task, Math.toIntExact((size + TASK - 1) / TASK), (long) (size / PER_NANO));
    }

    private void apply(int index, int worker) {
        long first = (long) index * TASK;
        int count = (int) Math.min(TASK, size - first);
        for (int i = 0; i < count; i++) {
            long at = 4 * (first + i);
            MEMORY.set(FLOAT, y + at, (float) (a * MEMORY.get(FLOAT, y + at) + b * MEMORY.get(FLOAT, x + at)));
        }
    }
}
