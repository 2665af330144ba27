package org.calm4j.engine.op.simd.vec;

import static org.calm4j.engine.op.simd.vec.Vectors.ADDRESS;
import static org.calm4j.engine.op.simd.vec.Vectors.FLOAT;
import static org.calm4j.engine.op.simd.vec.Vectors.FLOATS;
import static org.calm4j.engine.op.simd.vec.Vectors.FOLD1;
import static org.calm4j.engine.op.simd.vec.Vectors.FOLD2;
import static org.calm4j.engine.op.simd.vec.Vectors.FOLD4;
import static org.calm4j.engine.op.simd.vec.Vectors.FOLD8;
import static org.calm4j.engine.op.simd.vec.Vectors.LANES;
import static org.calm4j.engine.op.simd.vec.Vectors.MEMORY;
import static org.calm4j.engine.op.simd.vec.Vectors.ORDER;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Exponentials of rows: {@code eˣ = 2ⁿ·eʳ} with {@code n = round(x/ln 2)}, {@code |r| ≤ ln 2 / 2} and Taylor's polynomial of degree 7
 * (remainder 5e-9). Relative error below 1.5e-7.
 */
public final class Exp {
    /** Beyond these, results would not be normal numbers; inputs are clamped to them. NaN stays NaN. */
    private static final float LOWEST = -87;

    private static final float HIGHEST = 88;
    private static final float LOG2_E = 1.442695f;
    /** ln 2 in two parts: the first times any n is exact. */
    private static final float LN2_HIGH = 0.693359375f;

    private static final float LN2_LOW = -2.12194440e-4f;
    /** Adding it rounds to an integer, which is then in the low bits. */
    private static final float ROUND = 0x1.8p23f;
    /** For one exponential. */
    private static final int MULTIPLICATIONS = 12;
    /** Terms summed in single precision before they are added to the double sum. */
    private static final int BLOCK = 512;

    private Exp() {}

    /** Sets {@code to[i] = exp(scale·from[i] − shift)} and returns their sum; to may be from. */
    public static double row(long to, long from, int count, float scale, float shift) {
        double sum = 0;
        for (int i = 0; i < count; i += BLOCK) {
            sum += block(to + 4L * i, from + 4L * i, Math.min(BLOCK, count - i), scale, shift);
        }
        return sum;
    }

    /**
     * Sets {@code to[i] = exp(scale·x[i] − shift)} for a positive scale, and returns the sum, without a scalar tail: what is after the last
     * element, up to a whole vector, is overwritten in both; to may be x.
     */
    public static double wholeVectors(long to, long x, int count, float scale, float shift) {
        int whole = Vectors.roundUp(count);
        for (int i = count; i < whole; i++) {
            // Its exponential is 2e-38 and not a part of any sum.
            MEMORY.set(FLOAT, x + 4L * i, Float.NEGATIVE_INFINITY);
        }
        return row(to, x, whole, scale, shift);
    }

    private static float block(long to, long from, int count, float scale, float shift) {
        int i = count & -LANES;
        float sum = ColdStart.isOver() ? vectors(to, from, i, scale, shift) : plain(to, from, i, scale, shift);
        for (; i < count; i++) {
            float x = Math.fma(MEMORY.get(FLOAT, from + 4L * i), scale, -shift);
            float value = (float) Math.exp(Math.clamp(x, LOWEST, HIGHEST));
            MEMORY.set(FLOAT, to + 4L * i, value);
            sum += value;
        }
        return sum;
    }

    private static float vectors(long to, long from, int count, float scale, float shift) {
        to &= ADDRESS;
        from &= ADDRESS;
        FloatVector sums = FloatVector.zero(FLOATS);
        FloatVector minusShift = FloatVector.broadcast(FLOATS, -shift);
        for (int i = 0; i <= count - LANES; i += LANES) {
            FloatVector x = FloatVector.fromMemorySegment(FLOATS, MEMORY, from + 4L * i, ORDER)
                    .fma(FloatVector.broadcast(FLOATS, scale), minusShift);
            x = x.blend(LOWEST, x.compare(VectorOperators.LT, LOWEST));
            x = x.blend(HIGHEST, x.compare(VectorOperators.GT, HIGHEST));
            FloatVector rounded = x.fma(FloatVector.broadcast(FLOATS, LOG2_E), FloatVector.broadcast(FLOATS, ROUND));
            FloatVector n = rounded.sub(ROUND);
            FloatVector r = n.fma(FloatVector.broadcast(FLOATS, -LN2_HIGH), x);
            r = n.fma(FloatVector.broadcast(FLOATS, -LN2_LOW), r);
            FloatVector p = r.fma(FloatVector.broadcast(FLOATS, 1f / 5040), FloatVector.broadcast(FLOATS, 1f / 720));
            p = p.fma(r, FloatVector.broadcast(FLOATS, 1f / 120));
            p = p.fma(r, FloatVector.broadcast(FLOATS, 1f / 24));
            p = p.fma(r, FloatVector.broadcast(FLOATS, 1f / 6));
            p = p.fma(r, FloatVector.broadcast(FLOATS, 0.5f));
            p = p.fma(r, FloatVector.broadcast(FLOATS, 1f));
            p = p.fma(r, FloatVector.broadcast(FLOATS, 1f));
            IntVector exponent = rounded.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23);
            FloatVector value = p.reinterpretAsInts().add(exponent).reinterpretAsFloats();
            value.intoMemorySegment(MEMORY, to + 4L * i, ORDER);
            sums = sums.add(value);
        }
        if (LANES > 8) {
            sums = sums.add(sums.rearrange(FOLD8));
        }
        if (LANES > 4) {
            sums = sums.add(sums.rearrange(FOLD4));
        }
        sums = sums.add(sums.rearrange(FOLD2));
        return sums.add(sums.rearrange(FOLD1)).lane(0);
    }

    /** The same without vectors, to the same bits. */
    private static float plain(long to, long from, int count, float scale, float shift) {
        ColdStart.count((long) count * MULTIPLICATIONS);
        float[] values = Plain.floats(from, count);
        float[] sums = new float[LANES];
        for (int i = 0; i < count; i++) {
            float x = Math.fma(values[i], scale, -shift);
            x = x < LOWEST ? LOWEST : x > HIGHEST ? HIGHEST : x;
            float rounded = Math.fma(x, LOG2_E, ROUND);
            float n = rounded - ROUND;
            float r = Math.fma(n, -LN2_LOW, Math.fma(n, -LN2_HIGH, x));
            float p = Math.fma(r, 1f / 5040, 1f / 720);
            p = Math.fma(p, r, 1f / 120);
            p = Math.fma(p, r, 1f / 24);
            p = Math.fma(p, r, 1f / 6);
            p = Math.fma(p, r, 0.5f);
            p = Math.fma(p, r, 1);
            p = Math.fma(p, r, 1);
            values[i] = Float.intBitsToFloat(Float.floatToRawIntBits(p) + (Float.floatToRawIntBits(rounded) << 23));
            sums[i & LANES - 1] += values[i];
        }
        MemorySegment.copy(values, 0, MEMORY, FLOAT, to, count);
        return Plain.sumOfLanes(sums, 8, 4, 2, 1);
    }

    /** The largest of a row; NaN when one is. */
    public static float max(long from, int count) {
        from &= ADDRESS;
        int i = 0;
        float max = Float.NEGATIVE_INFINITY;
        if (count >= LANES) {
            FloatVector largest = FloatVector.fromMemorySegment(FLOATS, MEMORY, from, ORDER);
            for (i = LANES; i <= count - LANES; i += LANES) {
                largest = largest.max(FloatVector.fromMemorySegment(FLOATS, MEMORY, from + 4L * i, ORDER));
            }
            max = largest.reduceLanes(VectorOperators.MAX);
        }
        for (; i < count; i++) {
            max = Math.max(max, MEMORY.get(FLOAT, from + 4L * i));
        }
        return max;
    }
}
