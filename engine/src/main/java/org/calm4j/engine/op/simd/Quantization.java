package org.calm4j.engine.op.simd;

import static org.calm4j.engine.op.simd.vec.Vectors.FLOAT;
import static org.calm4j.engine.op.simd.vec.Vectors.MEMORY;
import static org.calm4j.engine.op.simd.vec.Vectors.SHORT;

import java.lang.foreign.ValueLayout;
import org.calm4j.engine.op.DynamicCode;
import org.calm4j.engine.op.simd.vec.Native;
import org.calm4j.engine.op.simd.vec.WorkerPool;
import org.calm4j.engine.random.CounterRandom;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;

/** Numbers in fewer bits: codes by blocks, and BF16 rounded at random. */
final class Quantization {
    private static final int TASK = 64 * DynamicCode.BLOCK;
    private static final double PER_NANO = 0.1;

    private final WorkerPool pool;
    private final WorkerPool.Task quantizeTask = this::quantize;
    private final WorkerPool.Task dequantizeTask = this::dequantize;
    private final WorkerPool.Task roundTask = this::round;

    private long x;
    private long codes;
    private long scales;
    private DynamicCode code;
    private long size;
    private long seed;
    private long firstNumber;

    Quantization(WorkerPool pool) {
        this.pool = pool;
    }

    /** Codes of the nearest values to {@code x / scale}; the scale is the largest absolute value of the block. */
    void quantize(Tensor codes, Tensor scales, Tensor x, boolean signed) {
        bind(codes, scales, x, signed);
        run(quantizeTask);
    }

    /** {@code x[i] = code(i) · scale}. */
    void dequantize(Tensor x, Tensor codes, Tensor scales, boolean signed) {
        bind(codes, scales, x, signed);
        run(dequantizeTask);
    }

    private void bind(Tensor codes, Tensor scales, Tensor x, boolean signed) {
        size = x.size();
        this.x = Native.f32(x, size);
        this.codes = Native.any(codes);
        this.scales = Native.f32(scales, Math.ceilDiv(size, DynamicCode.BLOCK));
        if (codes.type() != DType.I32 || codes.size() != Math.ceilDiv(size, Integer.BYTES)) {
            throw new IllegalArgumentException(codes + " cannot hold the codes of " + x);
        }
        code = DynamicCode.of(signed);
    }

    /** BF16 with the probability that keeps the mean: a random number below the bits that are cut is added to them. */
    void roundRandomly(Tensor to, Tensor from, long seed, long first) {
        size = from.size();
        x = Native.f32(from, size);
        codes = Native.any(to);
        if (to.type() != DType.BF16 || to.size() != size) {
            throw new IllegalArgumentException(to + " cannot hold " + from);
        }
        this.seed = seed;
        firstNumber = first;
        run(roundTask);
    }

    private void run(WorkerPool.Task task) {
        pool.run(task, Math.toIntExact((size + TASK - 1) / TASK), (long) (size / PER_NANO));
    }

    private void quantize(int index, int worker) {
        long end = Math.min(size, (index + 1L) * TASK);
        for (long first = (long) index * TASK; first < end; first += DynamicCode.BLOCK) {
            int count = (int) Math.min(DynamicCode.BLOCK, end - first);
            float scale = 0;
            for (int i = 0; i < count; i++) {
                scale = Math.max(scale, Math.abs(MEMORY.get(FLOAT, x + 4 * (first + i))));
            }
            MEMORY.set(FLOAT, scales + 4 * (first / DynamicCode.BLOCK), scale);
            for (int i = 0; i < count; i++) {
                float value = scale == 0 ? 0 : MEMORY.get(FLOAT, x + 4 * (first + i)) / scale;
                MEMORY.set(ValueLayout.JAVA_BYTE, codes + first + i, (byte) code.nearest(value));
            }
            // The rest of the last four.
            for (long i = first + count; i % Integer.BYTES != 0; i++) {
                MEMORY.set(ValueLayout.JAVA_BYTE, codes + i, (byte) 0);
            }
        }
    }

    private void dequantize(int index, int worker) {
        long end = Math.min(size, (index + 1L) * TASK);
        for (long i = (long) index * TASK; i < end; i++) {
            int stored = MEMORY.get(ValueLayout.JAVA_BYTE, codes + i) & 0xff;
            float scale = MEMORY.get(FLOAT, scales + 4 * (i / DynamicCode.BLOCK));
            MEMORY.set(FLOAT, x + 4 * i, code.value(stored) * scale);
        }
    }

    private void round(int index, int worker) {
        long end = Math.min(size, (index + 1L) * TASK);
        for (long i = (long) index * TASK; i < end; i++) {
            int random = (int) CounterRandom.bits(seed, firstNumber + i) & 0xffff;
            int bits = Float.floatToRawIntBits(MEMORY.get(FLOAT, x + 4 * i)) + random;
            MEMORY.set(SHORT, codes + 2 * i, (short) (bits >>> 16));
        }
    }
}
