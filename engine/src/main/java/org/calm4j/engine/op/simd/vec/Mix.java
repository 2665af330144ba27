package org.calm4j.engine.op.simd.vec;

import static org.calm4j.engine.op.simd.vec.Vectors.ADDRESS;
import static org.calm4j.engine.op.simd.vec.Vectors.BYTES;
import static org.calm4j.engine.op.simd.vec.Vectors.FLOAT;
import static org.calm4j.engine.op.simd.vec.Vectors.FLOATS;
import static org.calm4j.engine.op.simd.vec.Vectors.LANES;
import static org.calm4j.engine.op.simd.vec.Vectors.MEMORY;
import static org.calm4j.engine.op.simd.vec.Vectors.ORDER;
import static org.calm4j.engine.op.simd.vec.Vectors.STRIDE;

import jdk.incubator.vector.FloatVector;

/** Weighted sums of rows. */
public final class Mix {
    private Mix() {}

    /** Sets or adds {@code out[e] = Σᵢ weight[i]·row[i][e]} for rows of d elements; strides in bytes. */
    public static void rows(
            long out, long weight, long weightStride, long row, long stride, int count, int d, boolean add) {
        if (!ColdStart.isOver()) {
            Plain.mix(out, weight, weightStride, row, stride, count, d, add);
            return;
        }
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
                sum = Math.fma(
                        MEMORY.get(FLOAT, weight + i * weightStride),
                        MEMORY.get(FLOAT, row + i * stride + 4L * e),
                        sum);
            }
            MEMORY.set(FLOAT, out + 4L * e, sum);
        }
    }

    /**
     * Adds {@code out[e] += Σᵢ weight[i]·row[i][e]} for eight rows of d elements, reading each row in order: if rows are long and come from
     * memory, that is faster than going down them in columns.
     */
    public static void eightRows(long out, long weight, long row, long stride, int d) {
        FloatVector p0 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, weight));
        FloatVector p1 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, weight + 4));
        FloatVector p2 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, weight + 8));
        FloatVector p3 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, weight + 12));
        FloatVector p4 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, weight + 16));
        FloatVector p5 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, weight + 20));
        FloatVector p6 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, weight + 24));
        FloatVector p7 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, weight + 28));
        out &= ADDRESS;
        row &= ADDRESS;
        stride &= STRIDE;
        long row1 = row + stride;
        long row2 = row1 + stride;
        long row3 = row2 + stride;
        long row4 = row3 + stride;
        long row5 = row4 + stride;
        long row6 = row5 + stride;
        long row7 = row6 + stride;
        long e = 0;
        for (long end = 4L * (d & -LANES); e != end; e += BYTES) {
            long at = e & STRIDE;
            FloatVector sum = p0.mul(FloatVector.fromMemorySegment(FLOATS, MEMORY, row + at, ORDER));
            sum = p1.fma(FloatVector.fromMemorySegment(FLOATS, MEMORY, row1 + at, ORDER), sum);
            sum = p2.fma(FloatVector.fromMemorySegment(FLOATS, MEMORY, row2 + at, ORDER), sum);
            sum = p3.fma(FloatVector.fromMemorySegment(FLOATS, MEMORY, row3 + at, ORDER), sum);
            sum = p4.fma(FloatVector.fromMemorySegment(FLOATS, MEMORY, row4 + at, ORDER), sum);
            sum = p5.fma(FloatVector.fromMemorySegment(FLOATS, MEMORY, row5 + at, ORDER), sum);
            sum = p6.fma(FloatVector.fromMemorySegment(FLOATS, MEMORY, row6 + at, ORDER), sum);
            sum = p7.fma(FloatVector.fromMemorySegment(FLOATS, MEMORY, row7 + at, ORDER), sum);
            sum.add(FloatVector.fromMemorySegment(FLOATS, MEMORY, out + at, ORDER))
                    .intoMemorySegment(MEMORY, out + at, ORDER);
        }
        if (e != 4L * d) {
            rows(out + e, weight, 4, row + e, stride, 8, d & LANES - 1, true);
        }
    }

    private static void eightVectors(
            long out, long weight, long weightStride, long row, long stride, int count, boolean add) {
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
            long x = row & ADDRESS;
            FloatVector p = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, weight & ADDRESS));
            s0 = p.fma(FloatVector.fromMemorySegment(FLOATS, MEMORY, x, ORDER), s0);
            s1 = p.fma(FloatVector.fromMemorySegment(FLOATS, MEMORY, x + BYTES, ORDER), s1);
            s2 = p.fma(FloatVector.fromMemorySegment(FLOATS, MEMORY, x + 2 * BYTES, ORDER), s2);
            s3 = p.fma(FloatVector.fromMemorySegment(FLOATS, MEMORY, x + 3 * BYTES, ORDER), s3);
            s4 = p.fma(FloatVector.fromMemorySegment(FLOATS, MEMORY, x + 4 * BYTES, ORDER), s4);
            s5 = p.fma(FloatVector.fromMemorySegment(FLOATS, MEMORY, x + 5 * BYTES, ORDER), s5);
            s6 = p.fma(FloatVector.fromMemorySegment(FLOATS, MEMORY, x + 6 * BYTES, ORDER), s6);
            s7 = p.fma(FloatVector.fromMemorySegment(FLOATS, MEMORY, x + 7 * BYTES, ORDER), s7);
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

    private static void fourVectors(
            long out, long weight, long weightStride, long row, long stride, int count, boolean add) {
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
            long x = row & ADDRESS;
            FloatVector p = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, weight & ADDRESS));
            s0 = p.fma(FloatVector.fromMemorySegment(FLOATS, MEMORY, x, ORDER), s0);
            s1 = p.fma(FloatVector.fromMemorySegment(FLOATS, MEMORY, x + BYTES, ORDER), s1);
            s2 = p.fma(FloatVector.fromMemorySegment(FLOATS, MEMORY, x + 2 * BYTES, ORDER), s2);
            s3 = p.fma(FloatVector.fromMemorySegment(FLOATS, MEMORY, x + 3 * BYTES, ORDER), s3);
            weight += weightStride;
            row += stride;
        }
        s0.intoMemorySegment(MEMORY, out, ORDER);
        s1.intoMemorySegment(MEMORY, out + BYTES, ORDER);
        s2.intoMemorySegment(MEMORY, out + 2 * BYTES, ORDER);
        s3.intoMemorySegment(MEMORY, out + 3 * BYTES, ORDER);
    }

    private static void oneVector(
            long out, long weight, long weightStride, long row, long stride, int count, boolean add) {
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
