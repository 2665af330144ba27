package org.calm4j.engine.op.simd;

import static org.calm4j.engine.op.simd.Vectors.BYTES;
import static org.calm4j.engine.op.simd.Vectors.FLOAT;
import static org.calm4j.engine.op.simd.Vectors.FLOATS;
import static org.calm4j.engine.op.simd.Vectors.LANES;
import static org.calm4j.engine.op.simd.Vectors.MEMORY;
import static org.calm4j.engine.op.simd.Vectors.ORDER;

import jdk.incubator.vector.FloatVector;

/** Weighted sums of rows. */
final class Mix {
    private Mix() {
    }

    /** Sets or adds {@code out[e] = Σᵢ weight[i]·row[i][e]} for rows of d elements; strides in bytes. */
    static void rows(long out, long weight, long weightStride, long row, long stride, int count, int d, boolean add) {
        int e = 0;
        for (; e <= d - 8 * LANES; e += 8 * LANES) {
            eightVectors(out + 4L * e, weight, weightStride, row + 4L * e, stride, count, add);
        }
        for (; e <= d - 4 * LANES; e += 4 * LANES) {
            fourVectors(out + 4L * e, weight, weightStride, row + 4L * e, stride, count, add);
        }
        for (; e <= d - LANES; e += LANES) {
            oneVector(out + 4L * e, weight, weightStride, row + 4L * e, stride, count, add);
        }
        for (; e < d; e++) {
            float sum = add ? MEMORY.get(FLOAT, out + 4L * e) : 0;
            for (int i = 0; i < count; i++) {
                sum = Math.fma(MEMORY.get(FLOAT, weight + i * weightStride), MEMORY.get(FLOAT, row + i * stride + 4L * e), sum);
            }
            MEMORY.set(FLOAT, out + 4L * e, sum);
        }
    }

    private static void eightVectors(long out, long weight, long weightStride, long row, long stride, int count, boolean add) {
        FloatVector s0 = FloatVector.zero(FLOATS);
        FloatVector s1 = FloatVector.zero(FLOATS);
        FloatVector s2 = FloatVector.zero(FLOATS);
        FloatVector s3 = FloatVector.zero(FLOATS);
        FloatVector s4 = FloatVector.zero(FLOATS);
        FloatVector s5 = FloatVector.zero(FLOATS);
        FloatVector s6 = FloatVector.zero(FLOATS);
        FloatVector s7 = FloatVector.zero(FLOATS);
        if (add) {
            s0 = FloatVector.fromMemorySegment(FLOATS, MEMORY, out, ORDER);
            s1 = FloatVector.fromMemorySegment(FLOATS, MEMORY, out + BYTES, ORDER);
            s2 = FloatVector.fromMemorySegment(FLOATS, MEMORY, out + 2 * BYTES, ORDER);
            s3 = FloatVector.fromMemorySegment(FLOATS, MEMORY, out + 3 * BYTES, ORDER);
            s4 = FloatVector.fromMemorySegment(FLOATS, MEMORY, out + 4 * BYTES, ORDER);
            s5 = FloatVector.fromMemorySegment(FLOATS, MEMORY, out + 5 * BYTES, ORDER);
            s6 = FloatVector.fromMemorySegment(FLOATS, MEMORY, out + 6 * BYTES, ORDER);
            s7 = FloatVector.fromMemorySegment(FLOATS, MEMORY, out + 7 * BYTES, ORDER);
        }
        for (int i = 0; i < count; i++) {
            FloatVector p = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, weight));
            s0 = p.fma(FloatVector.fromMemorySegment(FLOATS, MEMORY, row, ORDER), s0);
            s1 = p.fma(FloatVector.fromMemorySegment(FLOATS, MEMORY, row + BYTES, ORDER), s1);
            s2 = p.fma(FloatVector.fromMemorySegment(FLOATS, MEMORY, row + 2 * BYTES, ORDER), s2);
            s3 = p.fma(FloatVector.fromMemorySegment(FLOATS, MEMORY, row + 3 * BYTES, ORDER), s3);
            s4 = p.fma(FloatVector.fromMemorySegment(FLOATS, MEMORY, row + 4 * BYTES, ORDER), s4);
            s5 = p.fma(FloatVector.fromMemorySegment(FLOATS, MEMORY, row + 5 * BYTES, ORDER), s5);
            s6 = p.fma(FloatVector.fromMemorySegment(FLOATS, MEMORY, row + 6 * BYTES, ORDER), s6);
            s7 = p.fma(FloatVector.fromMemorySegment(FLOATS, MEMORY, row + 7 * BYTES, ORDER), s7);
            weight += weightStride;
            row += stride;
        }
        s0.intoMemorySegment(MEMORY, out, ORDER);
        s1.intoMemorySegment(MEMORY, out + BYTES, ORDER);
        s2.intoMemorySegment(MEMORY, out + 2 * BYTES, ORDER);
        s3.intoMemorySegment(MEMORY, out + 3 * BYTES, ORDER);
        s4.intoMemorySegment(MEMORY, out + 4 * BYTES, ORDER);
        s5.intoMemorySegment(MEMORY, out + 5 * BYTES, ORDER);
        s6.intoMemorySegment(MEMORY, out + 6 * BYTES, ORDER);
        s7.intoMemorySegment(MEMORY, out + 7 * BYTES, ORDER);
    }

    private static void fourVectors(long out, long weight, long weightStride, long row, long stride, int count, boolean add) {
        FloatVector s0 = FloatVector.zero(FLOATS);
        FloatVector s1 = FloatVector.zero(FLOATS);
        FloatVector s2 = FloatVector.zero(FLOATS);
        FloatVector s3 = FloatVector.zero(FLOATS);
        if (add) {
            s0 = FloatVector.fromMemorySegment(FLOATS, MEMORY, out, ORDER);
            s1 = FloatVector.fromMemorySegment(FLOATS, MEMORY, out + BYTES, ORDER);
            s2 = FloatVector.fromMemorySegment(FLOATS, MEMORY, out + 2 * BYTES, ORDER);
            s3 = FloatVector.fromMemorySegment(FLOATS, MEMORY, out + 3 * BYTES, ORDER);
        }
        for (int i = 0; i < count; i++) {
            FloatVector p = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, weight));
            s0 = p.fma(FloatVector.fromMemorySegment(FLOATS, MEMORY, row, ORDER), s0);
            s1 = p.fma(FloatVector.fromMemorySegment(FLOATS, MEMORY, row + BYTES, ORDER), s1);
            s2 = p.fma(FloatVector.fromMemorySegment(FLOATS, MEMORY, row + 2 * BYTES, ORDER), s2);
            s3 = p.fma(FloatVector.fromMemorySegment(FLOATS, MEMORY, row + 3 * BYTES, ORDER), s3);
            weight += weightStride;
            row += stride;
        }
        s0.intoMemorySegment(MEMORY, out, ORDER);
        s1.intoMemorySegment(MEMORY, out + BYTES, ORDER);
        s2.intoMemorySegment(MEMORY, out + 2 * BYTES, ORDER);
        s3.intoMemorySegment(MEMORY, out + 3 * BYTES, ORDER);
    }

    private static void oneVector(long out, long weight, long weightStride, long row, long stride, int count, boolean add) {
        FloatVector s0 = FloatVector.zero(FLOATS);
        if (add) {
            s0 = FloatVector.fromMemorySegment(FLOATS, MEMORY, out, ORDER);
        }
        for (int i = 0; i < count; i++) {
            FloatVector p = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, weight));
            s0 = p.fma(FloatVector.fromMemorySegment(FLOATS, MEMORY, row, ORDER), s0);
            weight += weightStride;
            row += stride;
        }
        s0.intoMemorySegment(MEMORY, out, ORDER);
    }
}
