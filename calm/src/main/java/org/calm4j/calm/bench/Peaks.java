package org.calm4j.calm.bench;

import static org.calm4j.engine.op.simd.vec.Vectors.BYTES;
import static org.calm4j.engine.op.simd.vec.Vectors.FLOATS;
import static org.calm4j.engine.op.simd.vec.Vectors.MEMORY;
import static org.calm4j.engine.op.simd.vec.Vectors.ORDER;

import jdk.incubator.vector.FloatVector;
import org.calm4j.engine.op.simd.vec.WorkerPool;
import org.calm4j.engine.tensor.HostBuffer;

/** The limits of this machine: the yardstick for everything that is measured in the same run. */
final class Peaks implements AutoCloseable {
    private static final int ACCUMULATORS = 12;
    /** About 10 ms a task. */
    private static final long STEPS = 1 << 21;

    private static final int TASKS_PER_THREAD = 2;
    /** More than the last cache holds, a whole number of chunks. */
    private static final long READ = 512L << 20;

    private static final long CHUNK = 4L << 20;

    private final WorkerPool pool;
    private final HostBuffer memory = new HostBuffer(READ);
    /** Keeps results alive. */
    private final float[] sink;

    /** @param threads as many as the measured workload has */
    Peaks(int threads) {
        pool = new WorkerPool(threads);
        sink = new float[16 * threads];
        memory.segment().fill((byte) 1);
    }

    /** Floating-point operations a second of fused multiply-adds on registers, all threads together; one multiply-add counts two. */
    double flops() {
        int tasks = TASKS_PER_THREAD * pool.threads();
        long start = System.nanoTime();
        pool.run((index, worker) -> sink[16 * worker] += multiplyAdd(STEPS, 1 + index), tasks, Long.MAX_VALUE);
        return 2.0 * ACCUMULATORS * FLOATS.length() * STEPS * tasks / (System.nanoTime() - start) * 1e9;
    }

    /** Bytes a second of reading memory in order, all threads together. */
    double readBandwidth() {
        long address = memory.segment().address();
        long start = System.nanoTime();
        pool.run(
                (index, worker) -> sink[16 * worker] += sum(address + index * CHUNK, address + (index + 1) * CHUNK),
                (int) (READ / CHUNK),
                Long.MAX_VALUE);
        return READ / (double) (System.nanoTime() - start) * 1e9;
    }

    private static float multiplyAdd(long steps, float seed) {
        FloatVector x = FloatVector.broadcast(FLOATS, 0.999f);
        FloatVector y = FloatVector.broadcast(FLOATS, seed * 1e-3f);
        FloatVector s0 = y;
        FloatVector s1 = y;
        FloatVector s2 = y;
        FloatVector s3 = y;
        FloatVector s4 = y;
        FloatVector s5 = y;
        FloatVector s6 = y;
        FloatVector s7 = y;
        FloatVector s8 = y;
        FloatVector s9 = y;
        FloatVector s10 = y;
        FloatVector s11 = y;
        for (long i = 0; i != steps; i++) {
            s0 = s0.fma(x, y);
            s1 = s1.fma(x, y);
            s2 = s2.fma(x, y);
            s3 = s3.fma(x, y);
            s4 = s4.fma(x, y);
            s5 = s5.fma(x, y);
            s6 = s6.fma(x, y);
            s7 = s7.fma(x, y);
            s8 = s8.fma(x, y);
            s9 = s9.fma(x, y);
            s10 = s10.fma(x, y);
            s11 = s11.fma(x, y);
        }
        FloatVector all = s0.add(s1)
                .add(s2.add(s3))
                .add(s4.add(s5))
                .add(s6.add(s7))
                .add(s8.add(s9))
                .add(s10.add(s11));
        return all.lane(0);
    }

    private static float sum(long from, long end) {
        FloatVector s0 = FloatVector.zero(FLOATS);
        FloatVector s1 = FloatVector.zero(FLOATS);
        FloatVector s2 = FloatVector.zero(FLOATS);
        FloatVector s3 = FloatVector.zero(FLOATS);
        for (long at = from; at != end; at += 4 * BYTES) {
            s0 = s0.add(FloatVector.fromMemorySegment(FLOATS, MEMORY, at, ORDER));
            s1 = s1.add(FloatVector.fromMemorySegment(FLOATS, MEMORY, at + BYTES, ORDER));
            s2 = s2.add(FloatVector.fromMemorySegment(FLOATS, MEMORY, at + 2 * BYTES, ORDER));
            s3 = s3.add(FloatVector.fromMemorySegment(FLOATS, MEMORY, at + 3 * BYTES, ORDER));
        }
        return s0.add(s1).add(s2.add(s3)).lane(0);
    }

    @Override
    public void close() {
        pool.close();
        memory.close();
    }
}
