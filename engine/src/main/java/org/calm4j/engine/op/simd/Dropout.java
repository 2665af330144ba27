package org.calm4j.engine.op.simd;

import static org.calm4j.engine.op.simd.vec.Vectors.FLOAT;
import static org.calm4j.engine.op.simd.vec.Vectors.MEMORY;

import org.calm4j.engine.op.simd.vec.Native;
import org.calm4j.engine.op.simd.vec.WorkerPool;
import org.calm4j.engine.random.CounterRandom;
import org.calm4j.engine.tensor.Tensor;

/** Inverted dropout (Srivastava et al. 2014); the mask is a pure function of (seed, index), computed in scalar 64-bit arithmetic. */
final class Dropout {
    private static final int TASK = 4096;
    private static final double PER_NANO = 0.3;

    private final WorkerPool pool;
    private final WorkerPool.Task task = this::apply;

    private long out;
    private long x;
    private long size;
    private double p;
    private long seed;
    private boolean add;

    Dropout(WorkerPool pool) {
        this.pool = pool;
    }

    /** Sets or adds {@code out[i] = x[i]/(1−p)} where the random number of (seed, i) is at least p, else 0. */
    void apply(Tensor out, Tensor x, double p, long seed, boolean add) {
        size = x.size();
        this.out = Native.f32(out, size);
        this.x = Native.f32(x, size);
        this.p = p;
        this.seed = seed;
        this.add = add;
        pool.run(task, Math.toIntExact((size + TASK - 1) / TASK), (long) (size / PER_NANO));
    }

    private void apply(int index, int worker) {
        long end = Math.min(size, (index + 1L) * TASK);
        for (long i = (long) index * TASK; i < end; i++) {
            double kept = CounterRandom.uniform(seed, i) >= p ? MEMORY.get(FLOAT, x + 4 * i) / (1 - p) : 0;
            MEMORY.set(FLOAT, out + 4 * i, (float) (add ? MEMORY.get(FLOAT, out + 4 * i) + kept : kept));
        }
    }
}
