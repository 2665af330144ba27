package org.calm4j.engine.op.simd.vec;

import static org.calm4j.engine.op.simd.vec.Vectors.ADDRESS;
import static org.calm4j.engine.op.simd.vec.Vectors.DOUBLE;
import static org.calm4j.engine.op.simd.vec.Vectors.FLOAT;
import static org.calm4j.engine.op.simd.vec.Vectors.FLOATS;
import static org.calm4j.engine.op.simd.vec.Vectors.FOLD1;
import static org.calm4j.engine.op.simd.vec.Vectors.FOLD2;
import static org.calm4j.engine.op.simd.vec.Vectors.FOLD4;
import static org.calm4j.engine.op.simd.vec.Vectors.FOLD8;
import static org.calm4j.engine.op.simd.vec.Vectors.LANES;
import static org.calm4j.engine.op.simd.vec.Vectors.MEMORY;
import static org.calm4j.engine.op.simd.vec.Vectors.ORDER;

import jdk.incubator.vector.FloatVector;

/** Sums over a row of logits x and their exponentials e. */
public final class Moments {
    /** Terms summed in single precision before they are added to the double sums. */
    private static final int BLOCK = 512;
    /** For one logit. */
    private static final int MULTIPLICATIONS = 2;

    private Moments() {}

    /** Adds {@code Σ e²}, {@code Σ e·(x − shift)} and {@code Σ x} to the three doubles at {@code to}. */
    public static void add(long to, long e, long x, int count, float shift) {
        for (int i = 0; i < count; i += BLOCK) {
            block(to, e + 4L * i, x + 4L * i, Math.min(BLOCK, count - i), shift);
        }
    }

    private static void block(long to, long e, long x, int count, float shift) {
        int i = count & -LANES;
        if (ColdStart.isOver()) {
            vectors(to, e, x, i, shift);
        } else {
            plain(to, e, x, i, shift);
        }
        for (; i < count; i++) {
            float exponential = MEMORY.get(FLOAT, e + 4L * i);
            float logit = MEMORY.get(FLOAT, x + 4L * i);
            add(to, exponential * exponential, exponential * (logit - shift), logit);
        }
    }

    private static void vectors(long to, long e, long x, int count, float shift) {
        e &= ADDRESS;
        x &= ADDRESS;
        FloatVector squares = FloatVector.zero(FLOATS);
        FloatVector products = FloatVector.zero(FLOATS);
        FloatVector sums = FloatVector.zero(FLOATS);
        for (int i = 0; i <= count - LANES; i += LANES) {
            FloatVector exponential = FloatVector.fromMemorySegment(FLOATS, MEMORY, e + 4L * i, ORDER);
            FloatVector logit = FloatVector.fromMemorySegment(FLOATS, MEMORY, x + 4L * i, ORDER);
            squares = exponential.fma(exponential, squares);
            products = exponential.fma(logit.sub(shift), products);
            sums = sums.add(logit);
        }
        add(to, sumOfLanes(squares), sumOfLanes(products), sumOfLanes(sums));
    }

    private static float sumOfLanes(FloatVector x) {
        FloatVector all = x;
        if (LANES > 8) {
            all = all.add(all.rearrange(FOLD8));
        }
        if (LANES > 4) {
            all = all.add(all.rearrange(FOLD4));
        }
        all = all.add(all.rearrange(FOLD2));
        return all.add(all.rearrange(FOLD1)).lane(0);
    }

    /** The same without vectors, to the same bits. */
    private static void plain(long to, long e, long x, int count, float shift) {
        ColdStart.count((long) count * MULTIPLICATIONS);
        float[] exponentials = Plain.floats(e, count);
        float[] logits = Plain.floats(x, count);
        float[] squares = new float[LANES];
        float[] products = new float[LANES];
        float[] sums = new float[LANES];
        for (int i = 0; i < count; i++) {
            int lane = i & LANES - 1;
            squares[lane] = Math.fma(exponentials[i], exponentials[i], squares[lane]);
            products[lane] = Math.fma(exponentials[i], logits[i] - shift, products[lane]);
            sums[lane] += logits[i];
        }
        add(
                to,
                Plain.sumOfLanes(squares, 8, 4, 2, 1),
                Plain.sumOfLanes(products, 8, 4, 2, 1),
                Plain.sumOfLanes(sums, 8, 4, 2, 1));
    }

    private static void add(long to, float squares, float products, float sum) {
        MEMORY.set(DOUBLE, to, MEMORY.get(DOUBLE, to) + squares);
        MEMORY.set(DOUBLE, to + 8, MEMORY.get(DOUBLE, to + 8) + products);
        MEMORY.set(DOUBLE, to + 16, MEMORY.get(DOUBLE, to + 16) + sum);
    }
}
