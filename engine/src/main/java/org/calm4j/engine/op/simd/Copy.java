package org.calm4j.engine.op.simd;

import static org.calm4j.engine.op.simd.vec.Vectors.FLOAT;
import static org.calm4j.engine.op.simd.vec.Vectors.MEMORY;
import static org.calm4j.engine.op.simd.vec.Vectors.SHORT;

import java.lang.foreign.MemorySegment;
import org.calm4j.engine.op.simd.vec.Native;
import org.calm4j.engine.op.simd.vec.Widen;
import org.calm4j.engine.op.simd.vec.WorkerPool;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;

/** Copies, widening or rounding between types, and zeros. */
final class Copy {
    private static final int TASK = 16_384;
    private static final double PER_NANO = 3;

    private final WorkerPool pool;
    private final WorkerPool.Task sameTask = this::same;
    private final WorkerPool.Task widenTask = this::widen;
    private final WorkerPool.Task roundTask = this::round;
    private final WorkerPool.Task zeroTask = this::zero;

    private long to;
    private long from;
    private DType toType;
    private DType fromType;
    private long size;

    Copy(WorkerPool pool) {
        this.pool = pool;
    }

    /** {@code to[i] = from[i]}. */
    void copy(Tensor to, Tensor from) {
        size = from.size();
        if (to.size() != size) {
            throw new IllegalArgumentException(to + " cannot hold " + from);
        }
        this.to = Native.any(to);
        this.from = Native.any(from);
        toType = to.type();
        fromType = from.type();
        if (toType == fromType) {
            run(sameTask);
        } else if (toType == DType.F32 && fromType.bytes() == 2) {
            run(widenTask);
        } else if (fromType == DType.F32 && toType.bytes() == 2) {
            run(roundTask);
        } else {
            for (long i = 0; i < size; i++) {
                to.set(i, from.get(i));
            }
        }
    }

    void zero(Tensor x) {
        size = x.size();
        to = Native.any(x);
        toType = x.type();
        run(zeroTask);
    }

    private void run(WorkerPool.Task task) {
        pool.run(task, Math.toIntExact((size + TASK - 1) / TASK), (long) (size / PER_NANO));
    }

    private int count(int index) {
        return (int) Math.min(TASK, size - (long) index * TASK);
    }

    private long at(long address, int index, DType type) {
        return address + (long) index * TASK * type.bytes();
    }

    private void same(int index, int worker) {
        long bytes = (long) count(index) * toType.bytes();
        MemorySegment.copy(MEMORY, at(from, index, toType), MEMORY, at(to, index, toType), bytes);
    }

    private void zero(int index, int worker) {
        MEMORY.asSlice(at(to, index, toType), (long) count(index) * toType.bytes())
                .fill((byte) 0);
    }

    private void widen(int index, int worker) {
        Widen.row(at(to, index, toType), at(from, index, fromType), fromType, count(index));
    }

    private void round(int index, int worker) {
        long source = at(from, index, fromType);
        long target = at(to, index, toType);
        boolean brain = toType == DType.BF16;
        for (int i = 0; i < count(index); i++) {
            float value = MEMORY.get(FLOAT, source + 4L * i);
            MEMORY.set(SHORT, target + 2L * i, brain ? Tensor.bf16(value) : Float.floatToFloat16(value));
        }
    }
}
