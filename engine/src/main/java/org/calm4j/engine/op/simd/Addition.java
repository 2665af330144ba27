package org.calm4j.engine.op.simd;

import org.calm4j.engine.op.simd.vec.Native;
import org.calm4j.engine.op.simd.vec.WorkerPool;
import org.calm4j.engine.tensor.Tensor;

/** The sum of two gradients. */
final class Addition {
    private static final int TASK = 16_384;
    private static final double PER_NANO = 3;

    private final WorkerPool pool;
    private final WorkerPool.Task task = this::apply;

    private long y;
    private long x;
    private long size;

    Addition(WorkerPool pool) {
        this.pool = pool;
    }

    /** {@code y[i] += x[i]}. */
    void apply(Tensor y, Tensor x) {
        size = x.size();
        this.y = Native.f32(y, size);
        this.x = Native.f32(x, size);
        pool.run(task, Math.toIntExact((size + TASK - 1) / TASK), (long) (size / PER_NANO));
    }

    private void apply(int index, int worker) {
        long first = (long) index * TASK;
        Bias.add(y + 4 * first, x + 4 * first, (int) Math.min(TASK, size - first));
    }
}
