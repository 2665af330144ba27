package org.calm4j.engine.op.simd.vec;

import static org.calm4j.engine.op.simd.vec.Vectors.ADDRESS;
import static org.calm4j.engine.op.simd.vec.Vectors.BIT1;
import static org.calm4j.engine.op.simd.vec.Vectors.BIT2;
import static org.calm4j.engine.op.simd.vec.Vectors.BYTES;
import static org.calm4j.engine.op.simd.vec.Vectors.FLOAT;
import static org.calm4j.engine.op.simd.vec.Vectors.FLOATS;
import static org.calm4j.engine.op.simd.vec.Vectors.FOLD1;
import static org.calm4j.engine.op.simd.vec.Vectors.FOLD2;
import static org.calm4j.engine.op.simd.vec.Vectors.FOLD4;
import static org.calm4j.engine.op.simd.vec.Vectors.FOLD8;
import static org.calm4j.engine.op.simd.vec.Vectors.LANES;
import static org.calm4j.engine.op.simd.vec.Vectors.MEMORY;
import static org.calm4j.engine.op.simd.vec.Vectors.ORDER;
import static org.calm4j.engine.op.simd.vec.Vectors.STRIDE;

import jdk.incubator.vector.FloatVector;

/** Inner products of rows. The loops run over addresses, not counts: the compiler's copies of a counted loop read memory slower. */
public final class Dot {
    private Dot() {}

    /** {@code Σ a[i]·b[i]}. */
    public static float one(long a, long b, int count) {
        if (!ColdStart.isOver()) {
            return Plain.dot(a, b, count);
        }
        FloatVector s0 = FloatVector.zero(FLOATS);
        FloatVector s1 = FloatVector.zero(FLOATS);
        FloatVector s2 = FloatVector.zero(FLOATS);
        FloatVector s3 = FloatVector.zero(FLOATS);
        long end = b + 4L * (count & -4 * LANES);
        for (; b != end; a += 4 * BYTES, b += 4 * BYTES) {
            long x = a & ADDRESS;
            long y = b & ADDRESS;
            s0 = FloatVector.fromMemorySegment(FLOATS, MEMORY, x, ORDER)
                    .fma(FloatVector.fromMemorySegment(FLOATS, MEMORY, y, ORDER), s0);
            s1 = FloatVector.fromMemorySegment(FLOATS, MEMORY, x + BYTES, ORDER)
                    .fma(FloatVector.fromMemorySegment(FLOATS, MEMORY, y + BYTES, ORDER), s1);
            s2 = FloatVector.fromMemorySegment(FLOATS, MEMORY, x + 2 * BYTES, ORDER)
                    .fma(FloatVector.fromMemorySegment(FLOATS, MEMORY, y + 2 * BYTES, ORDER), s2);
            s3 = FloatVector.fromMemorySegment(FLOATS, MEMORY, x + 3 * BYTES, ORDER)
                    .fma(FloatVector.fromMemorySegment(FLOATS, MEMORY, y + 3 * BYTES, ORDER), s3);
        }
        end += 4L * ((count & 4 * LANES - 1) & -LANES);
        for (; b != end; a += BYTES, b += BYTES) {
            s0 = FloatVector.fromMemorySegment(FLOATS, MEMORY, a, ORDER)
                    .fma(FloatVector.fromMemorySegment(FLOATS, MEMORY, b, ORDER), s0);
        }
        FloatVector all = s0.add(s1).add(s2.add(s3));
        if (LANES > 8) {
            all = all.add(all.rearrange(FOLD8));
        }
        if (LANES > 4) {
            all = all.add(all.rearrange(FOLD4));
        }
        all = all.add(all.rearrange(FOLD2));
        float sum = all.add(all.rearrange(FOLD1)).lane(0);
        end += 4L * (count & LANES - 1);
        for (; b != end; a += 4, b += 4) {
            sum += MEMORY.get(FLOAT, a) * MEMORY.get(FLOAT, b);
        }
        return sum;
    }

    /** {@code to[j] = Σ a[j][i]·b[i]} for four rows of a at once, so that b is read once. */
    public static void four(long to, long a, long stride, long b, int count) {
        if (!ColdStart.isOver()) {
            Plain.dots(to, a, stride, b, count);
            return;
        }
        FloatVector s0 = FloatVector.zero(FLOATS);
        FloatVector s1 = FloatVector.zero(FLOATS);
        FloatVector s2 = FloatVector.zero(FLOATS);
        FloatVector s3 = FloatVector.zero(FLOATS);
        FloatVector t0 = FloatVector.zero(FLOATS);
        FloatVector t1 = FloatVector.zero(FLOATS);
        FloatVector t2 = FloatVector.zero(FLOATS);
        FloatVector t3 = FloatVector.zero(FLOATS);
        a &= ADDRESS;
        b &= ADDRESS;
        stride &= STRIDE;
        long a1 = a + stride;
        long a2 = a1 + stride;
        long a3 = a2 + stride;
        long i = 0;
        long end = 4L * (count & -2 * LANES);
        for (; i != end; i += 2 * BYTES) {
            long at = i & STRIDE;
            FloatVector x = FloatVector.fromMemorySegment(FLOATS, MEMORY, b + at, ORDER);
            s0 = FloatVector.fromMemorySegment(FLOATS, MEMORY, a + at, ORDER).fma(x, s0);
            s1 = FloatVector.fromMemorySegment(FLOATS, MEMORY, a1 + at, ORDER).fma(x, s1);
            s2 = FloatVector.fromMemorySegment(FLOATS, MEMORY, a2 + at, ORDER).fma(x, s2);
            s3 = FloatVector.fromMemorySegment(FLOATS, MEMORY, a3 + at, ORDER).fma(x, s3);
            FloatVector y = FloatVector.fromMemorySegment(FLOATS, MEMORY, b + BYTES + at, ORDER);
            t0 = FloatVector.fromMemorySegment(FLOATS, MEMORY, a + BYTES + at, ORDER)
                    .fma(y, t0);
            t1 = FloatVector.fromMemorySegment(FLOATS, MEMORY, a1 + BYTES + at, ORDER)
                    .fma(y, t1);
            t2 = FloatVector.fromMemorySegment(FLOATS, MEMORY, a2 + BYTES + at, ORDER)
                    .fma(y, t2);
            t3 = FloatVector.fromMemorySegment(FLOATS, MEMORY, a3 + BYTES + at, ORDER)
                    .fma(y, t3);
        }
        if ((count & LANES) != 0) {
            long at = i & STRIDE;
            FloatVector x = FloatVector.fromMemorySegment(FLOATS, MEMORY, b + at, ORDER);
            s0 = FloatVector.fromMemorySegment(FLOATS, MEMORY, a + at, ORDER).fma(x, s0);
            s1 = FloatVector.fromMemorySegment(FLOATS, MEMORY, a1 + at, ORDER).fma(x, s1);
            s2 = FloatVector.fromMemorySegment(FLOATS, MEMORY, a2 + at, ORDER).fma(x, s2);
            s3 = FloatVector.fromMemorySegment(FLOATS, MEMORY, a3 + at, ORDER).fma(x, s3);
            i += BYTES;
        }
        s0 = s0.add(t0);
        s1 = s1.add(t1);
        s2 = s2.add(t2);
        s3 = s3.add(t3);
        // Four sums of lanes at once: each exchange halves the lanes of two sums and puts both into one vector.
        FloatVector s01 =
                s0.blend(s1.rearrange(FOLD1), BIT1).add(s0.rearrange(FOLD1).blend(s1, BIT1));
        FloatVector s23 =
                s2.blend(s3.rearrange(FOLD1), BIT1).add(s2.rearrange(FOLD1).blend(s3, BIT1));
        FloatVector all =
                s01.blend(s23.rearrange(FOLD2), BIT2).add(s01.rearrange(FOLD2).blend(s23, BIT2));
        if (LANES > 8) {
            all = all.add(all.rearrange(FOLD8));
        }
        if (LANES > 4) {
            all = all.add(all.rearrange(FOLD4));
        }
        ((FloatVector) all.reinterpretShape(FloatVector.SPECIES_128, 0)).intoMemorySegment(MEMORY, to, ORDER);
        if ((count & LANES - 1) != 0) {
            rest(to, a + i, stride, b + i, count & LANES - 1);
        }
    }

    private static void rest(long to, long a, long stride, long b, int count) {
        for (int j = 0; j < 4; j++) {
            float sum = MEMORY.get(FLOAT, to + 4L * j);
            for (int i = 0; i < count; i++) {
                sum = Math.fma(MEMORY.get(FLOAT, a + j * stride + 4L * i), MEMORY.get(FLOAT, b + 4L * i), sum);
            }
            MEMORY.set(FLOAT, to + 4L * j, sum);
        }
    }
}
