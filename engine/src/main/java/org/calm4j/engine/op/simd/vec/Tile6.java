package org.calm4j.engine.op.simd.vec;

import static java.lang.invoke.VarHandle.storeStoreFence;
import static org.calm4j.engine.op.simd.vec.Vectors.ADDRESS;
import static org.calm4j.engine.op.simd.vec.Vectors.BYTES;
import static org.calm4j.engine.op.simd.vec.Vectors.FLOAT;
import static org.calm4j.engine.op.simd.vec.Vectors.FLOATS;
import static org.calm4j.engine.op.simd.vec.Vectors.MEMORY;
import static org.calm4j.engine.op.simd.vec.Vectors.ORDER;

import jdk.incubator.vector.FloatVector;

/**
 * Register tiles of six rows: twelve accumulators, two vectors of the right panel and a broadcast fill the sixteen registers of 256-bit
 * machines. Setting and adding are separate methods: a branch inside makes the compiler give up on registers. The number of steps is even.
 * The fences are not instructions: they keep the compiler from loading all of a step before the first product, for which there are no registers.
 */
final class Tile6 {
    static final int ROWS = 6;
    /** Floats of one step of the left panel; two more than rows, so that one counter serves both panels. */
    static final int LEFT = 8;

    private static final int STEP = 4 * LEFT;
    private static final long SCALE = 2 * BYTES / STEP;

    private Tile6() {}

    /** Sets a tile of 6 rows and two vectors: {@code c = α·a·b}. */
    static void set(long c, long stride, long a, long b, int steps, float alpha) {
        FloatVector c00 = FloatVector.zero(FLOATS);
        FloatVector c01 = FloatVector.zero(FLOATS);
        FloatVector c10 = FloatVector.zero(FLOATS);
        FloatVector c11 = FloatVector.zero(FLOATS);
        FloatVector c20 = FloatVector.zero(FLOATS);
        FloatVector c21 = FloatVector.zero(FLOATS);
        FloatVector c30 = FloatVector.zero(FLOATS);
        FloatVector c31 = FloatVector.zero(FLOATS);
        FloatVector c40 = FloatVector.zero(FLOATS);
        FloatVector c41 = FloatVector.zero(FLOATS);
        FloatVector c50 = FloatVector.zero(FLOATS);
        FloatVector c51 = FloatVector.zero(FLOATS);
        a &= ADDRESS;
        b &= ADDRESS;
        int end = (steps & 0xffff) * STEP;
        for (int p = 0; p < end; p += 2 * STEP) {
            long left = a + p;
            long right = b + SCALE * p;
            FloatVector b0 = FloatVector.fromMemorySegment(FLOATS, MEMORY, right, ORDER);
            FloatVector b1 = FloatVector.fromMemorySegment(FLOATS, MEMORY, right + BYTES, ORDER);
            FloatVector a0 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, left));
            c00 = a0.fma(b0, c00);
            c01 = a0.fma(b1, c01);
            storeStoreFence();
            FloatVector a1 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, left + 4));
            c10 = a1.fma(b0, c10);
            c11 = a1.fma(b1, c11);
            storeStoreFence();
            FloatVector a2 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, left + 8));
            c20 = a2.fma(b0, c20);
            c21 = a2.fma(b1, c21);
            storeStoreFence();
            FloatVector a3 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, left + 12));
            c30 = a3.fma(b0, c30);
            c31 = a3.fma(b1, c31);
            storeStoreFence();
            FloatVector a4 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, left + 16));
            c40 = a4.fma(b0, c40);
            c41 = a4.fma(b1, c41);
            storeStoreFence();
            FloatVector a5 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, left + 20));
            c50 = a5.fma(b0, c50);
            c51 = a5.fma(b1, c51);
            storeStoreFence();
            b0 = FloatVector.fromMemorySegment(FLOATS, MEMORY, right + 2 * BYTES, ORDER);
            b1 = FloatVector.fromMemorySegment(FLOATS, MEMORY, right + 3 * BYTES, ORDER);
            a0 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, left + 32));
            c00 = a0.fma(b0, c00);
            c01 = a0.fma(b1, c01);
            storeStoreFence();
            a1 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, left + 36));
            c10 = a1.fma(b0, c10);
            c11 = a1.fma(b1, c11);
            storeStoreFence();
            a2 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, left + 40));
            c20 = a2.fma(b0, c20);
            c21 = a2.fma(b1, c21);
            storeStoreFence();
            a3 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, left + 44));
            c30 = a3.fma(b0, c30);
            c31 = a3.fma(b1, c31);
            storeStoreFence();
            a4 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, left + 48));
            c40 = a4.fma(b0, c40);
            c41 = a4.fma(b1, c41);
            storeStoreFence();
            a5 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, left + 52));
            c50 = a5.fma(b0, c50);
            c51 = a5.fma(b1, c51);
            storeStoreFence();
        }
        FloatVector s = FloatVector.broadcast(FLOATS, alpha);
        c &= ADDRESS;
        c00.mul(s).intoMemorySegment(MEMORY, c, ORDER);
        c01.mul(s).intoMemorySegment(MEMORY, c + BYTES, ORDER);
        c = c + stride & ADDRESS;
        c10.mul(s).intoMemorySegment(MEMORY, c, ORDER);
        c11.mul(s).intoMemorySegment(MEMORY, c + BYTES, ORDER);
        c = c + stride & ADDRESS;
        c20.mul(s).intoMemorySegment(MEMORY, c, ORDER);
        c21.mul(s).intoMemorySegment(MEMORY, c + BYTES, ORDER);
        c = c + stride & ADDRESS;
        c30.mul(s).intoMemorySegment(MEMORY, c, ORDER);
        c31.mul(s).intoMemorySegment(MEMORY, c + BYTES, ORDER);
        c = c + stride & ADDRESS;
        c40.mul(s).intoMemorySegment(MEMORY, c, ORDER);
        c41.mul(s).intoMemorySegment(MEMORY, c + BYTES, ORDER);
        c = c + stride & ADDRESS;
        c50.mul(s).intoMemorySegment(MEMORY, c, ORDER);
        c51.mul(s).intoMemorySegment(MEMORY, c + BYTES, ORDER);
    }

    /** Adds to a tile of 6 rows and two vectors: {@code c += α·a·b}. */
    static void add(long c, long stride, long a, long b, int steps, float alpha) {
        FloatVector c00 = FloatVector.zero(FLOATS);
        FloatVector c01 = FloatVector.zero(FLOATS);
        FloatVector c10 = FloatVector.zero(FLOATS);
        FloatVector c11 = FloatVector.zero(FLOATS);
        FloatVector c20 = FloatVector.zero(FLOATS);
        FloatVector c21 = FloatVector.zero(FLOATS);
        FloatVector c30 = FloatVector.zero(FLOATS);
        FloatVector c31 = FloatVector.zero(FLOATS);
        FloatVector c40 = FloatVector.zero(FLOATS);
        FloatVector c41 = FloatVector.zero(FLOATS);
        FloatVector c50 = FloatVector.zero(FLOATS);
        FloatVector c51 = FloatVector.zero(FLOATS);
        a &= ADDRESS;
        b &= ADDRESS;
        int end = (steps & 0xffff) * STEP;
        for (int p = 0; p < end; p += 2 * STEP) {
            long left = a + p;
            long right = b + SCALE * p;
            FloatVector b0 = FloatVector.fromMemorySegment(FLOATS, MEMORY, right, ORDER);
            FloatVector b1 = FloatVector.fromMemorySegment(FLOATS, MEMORY, right + BYTES, ORDER);
            FloatVector a0 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, left));
            c00 = a0.fma(b0, c00);
            c01 = a0.fma(b1, c01);
            storeStoreFence();
            FloatVector a1 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, left + 4));
            c10 = a1.fma(b0, c10);
            c11 = a1.fma(b1, c11);
            storeStoreFence();
            FloatVector a2 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, left + 8));
            c20 = a2.fma(b0, c20);
            c21 = a2.fma(b1, c21);
            storeStoreFence();
            FloatVector a3 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, left + 12));
            c30 = a3.fma(b0, c30);
            c31 = a3.fma(b1, c31);
            storeStoreFence();
            FloatVector a4 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, left + 16));
            c40 = a4.fma(b0, c40);
            c41 = a4.fma(b1, c41);
            storeStoreFence();
            FloatVector a5 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, left + 20));
            c50 = a5.fma(b0, c50);
            c51 = a5.fma(b1, c51);
            storeStoreFence();
            b0 = FloatVector.fromMemorySegment(FLOATS, MEMORY, right + 2 * BYTES, ORDER);
            b1 = FloatVector.fromMemorySegment(FLOATS, MEMORY, right + 3 * BYTES, ORDER);
            a0 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, left + 32));
            c00 = a0.fma(b0, c00);
            c01 = a0.fma(b1, c01);
            storeStoreFence();
            a1 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, left + 36));
            c10 = a1.fma(b0, c10);
            c11 = a1.fma(b1, c11);
            storeStoreFence();
            a2 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, left + 40));
            c20 = a2.fma(b0, c20);
            c21 = a2.fma(b1, c21);
            storeStoreFence();
            a3 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, left + 44));
            c30 = a3.fma(b0, c30);
            c31 = a3.fma(b1, c31);
            storeStoreFence();
            a4 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, left + 48));
            c40 = a4.fma(b0, c40);
            c41 = a4.fma(b1, c41);
            storeStoreFence();
            a5 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, left + 52));
            c50 = a5.fma(b0, c50);
            c51 = a5.fma(b1, c51);
            storeStoreFence();
        }
        FloatVector s = FloatVector.broadcast(FLOATS, alpha);
        c &= ADDRESS;
        c00.fma(s, FloatVector.fromMemorySegment(FLOATS, MEMORY, c, ORDER)).intoMemorySegment(MEMORY, c, ORDER);
        c01.fma(s, FloatVector.fromMemorySegment(FLOATS, MEMORY, c + BYTES, ORDER))
                .intoMemorySegment(MEMORY, c + BYTES, ORDER);
        c = c + stride & ADDRESS;
        c10.fma(s, FloatVector.fromMemorySegment(FLOATS, MEMORY, c, ORDER)).intoMemorySegment(MEMORY, c, ORDER);
        c11.fma(s, FloatVector.fromMemorySegment(FLOATS, MEMORY, c + BYTES, ORDER))
                .intoMemorySegment(MEMORY, c + BYTES, ORDER);
        c = c + stride & ADDRESS;
        c20.fma(s, FloatVector.fromMemorySegment(FLOATS, MEMORY, c, ORDER)).intoMemorySegment(MEMORY, c, ORDER);
        c21.fma(s, FloatVector.fromMemorySegment(FLOATS, MEMORY, c + BYTES, ORDER))
                .intoMemorySegment(MEMORY, c + BYTES, ORDER);
        c = c + stride & ADDRESS;
        c30.fma(s, FloatVector.fromMemorySegment(FLOATS, MEMORY, c, ORDER)).intoMemorySegment(MEMORY, c, ORDER);
        c31.fma(s, FloatVector.fromMemorySegment(FLOATS, MEMORY, c + BYTES, ORDER))
                .intoMemorySegment(MEMORY, c + BYTES, ORDER);
        c = c + stride & ADDRESS;
        c40.fma(s, FloatVector.fromMemorySegment(FLOATS, MEMORY, c, ORDER)).intoMemorySegment(MEMORY, c, ORDER);
        c41.fma(s, FloatVector.fromMemorySegment(FLOATS, MEMORY, c + BYTES, ORDER))
                .intoMemorySegment(MEMORY, c + BYTES, ORDER);
        c = c + stride & ADDRESS;
        c50.fma(s, FloatVector.fromMemorySegment(FLOATS, MEMORY, c, ORDER)).intoMemorySegment(MEMORY, c, ORDER);
        c51.fma(s, FloatVector.fromMemorySegment(FLOATS, MEMORY, c + BYTES, ORDER))
                .intoMemorySegment(MEMORY, c + BYTES, ORDER);
    }

    /** Sets a tile of 6 rows and one vector, the first of each step of the panel: {@code c = α·a·b}. */
    static void setNarrow(long c, long stride, long a, long b, int steps, float alpha) {
        FloatVector c00 = FloatVector.zero(FLOATS);
        FloatVector c10 = FloatVector.zero(FLOATS);
        FloatVector c20 = FloatVector.zero(FLOATS);
        FloatVector c30 = FloatVector.zero(FLOATS);
        FloatVector c40 = FloatVector.zero(FLOATS);
        FloatVector c50 = FloatVector.zero(FLOATS);
        a &= ADDRESS;
        b &= ADDRESS;
        int end = (steps & 0xffff) * STEP;
        for (int p = 0; p < end; p += 2 * STEP) {
            long left = a + p;
            long right = b + SCALE * p;
            FloatVector b0 = FloatVector.fromMemorySegment(FLOATS, MEMORY, right, ORDER);
            FloatVector a0 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, left));
            c00 = a0.fma(b0, c00);
            FloatVector a1 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, left + 4));
            c10 = a1.fma(b0, c10);
            FloatVector a2 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, left + 8));
            c20 = a2.fma(b0, c20);
            FloatVector a3 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, left + 12));
            c30 = a3.fma(b0, c30);
            FloatVector a4 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, left + 16));
            c40 = a4.fma(b0, c40);
            FloatVector a5 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, left + 20));
            c50 = a5.fma(b0, c50);
            b0 = FloatVector.fromMemorySegment(FLOATS, MEMORY, right + 2 * BYTES, ORDER);
            a0 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, left + 32));
            c00 = a0.fma(b0, c00);
            a1 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, left + 36));
            c10 = a1.fma(b0, c10);
            a2 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, left + 40));
            c20 = a2.fma(b0, c20);
            a3 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, left + 44));
            c30 = a3.fma(b0, c30);
            a4 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, left + 48));
            c40 = a4.fma(b0, c40);
            a5 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, left + 52));
            c50 = a5.fma(b0, c50);
        }
        FloatVector s = FloatVector.broadcast(FLOATS, alpha);
        c &= ADDRESS;
        c00.mul(s).intoMemorySegment(MEMORY, c, ORDER);
        c = c + stride & ADDRESS;
        c10.mul(s).intoMemorySegment(MEMORY, c, ORDER);
        c = c + stride & ADDRESS;
        c20.mul(s).intoMemorySegment(MEMORY, c, ORDER);
        c = c + stride & ADDRESS;
        c30.mul(s).intoMemorySegment(MEMORY, c, ORDER);
        c = c + stride & ADDRESS;
        c40.mul(s).intoMemorySegment(MEMORY, c, ORDER);
        c = c + stride & ADDRESS;
        c50.mul(s).intoMemorySegment(MEMORY, c, ORDER);
    }

    /** Adds to a tile of 6 rows and one vector, the first of each step of the panel: {@code c += α·a·b}. */
    static void addNarrow(long c, long stride, long a, long b, int steps, float alpha) {
        FloatVector c00 = FloatVector.zero(FLOATS);
        FloatVector c10 = FloatVector.zero(FLOATS);
        FloatVector c20 = FloatVector.zero(FLOATS);
        FloatVector c30 = FloatVector.zero(FLOATS);
        FloatVector c40 = FloatVector.zero(FLOATS);
        FloatVector c50 = FloatVector.zero(FLOATS);
        a &= ADDRESS;
        b &= ADDRESS;
        int end = (steps & 0xffff) * STEP;
        for (int p = 0; p < end; p += 2 * STEP) {
            long left = a + p;
            long right = b + SCALE * p;
            FloatVector b0 = FloatVector.fromMemorySegment(FLOATS, MEMORY, right, ORDER);
            FloatVector a0 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, left));
            c00 = a0.fma(b0, c00);
            FloatVector a1 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, left + 4));
            c10 = a1.fma(b0, c10);
            FloatVector a2 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, left + 8));
            c20 = a2.fma(b0, c20);
            FloatVector a3 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, left + 12));
            c30 = a3.fma(b0, c30);
            FloatVector a4 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, left + 16));
            c40 = a4.fma(b0, c40);
            FloatVector a5 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, left + 20));
            c50 = a5.fma(b0, c50);
            b0 = FloatVector.fromMemorySegment(FLOATS, MEMORY, right + 2 * BYTES, ORDER);
            a0 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, left + 32));
            c00 = a0.fma(b0, c00);
            a1 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, left + 36));
            c10 = a1.fma(b0, c10);
            a2 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, left + 40));
            c20 = a2.fma(b0, c20);
            a3 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, left + 44));
            c30 = a3.fma(b0, c30);
            a4 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, left + 48));
            c40 = a4.fma(b0, c40);
            a5 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, left + 52));
            c50 = a5.fma(b0, c50);
        }
        FloatVector s = FloatVector.broadcast(FLOATS, alpha);
        c &= ADDRESS;
        c00.fma(s, FloatVector.fromMemorySegment(FLOATS, MEMORY, c, ORDER)).intoMemorySegment(MEMORY, c, ORDER);
        c = c + stride & ADDRESS;
        c10.fma(s, FloatVector.fromMemorySegment(FLOATS, MEMORY, c, ORDER)).intoMemorySegment(MEMORY, c, ORDER);
        c = c + stride & ADDRESS;
        c20.fma(s, FloatVector.fromMemorySegment(FLOATS, MEMORY, c, ORDER)).intoMemorySegment(MEMORY, c, ORDER);
        c = c + stride & ADDRESS;
        c30.fma(s, FloatVector.fromMemorySegment(FLOATS, MEMORY, c, ORDER)).intoMemorySegment(MEMORY, c, ORDER);
        c = c + stride & ADDRESS;
        c40.fma(s, FloatVector.fromMemorySegment(FLOATS, MEMORY, c, ORDER)).intoMemorySegment(MEMORY, c, ORDER);
        c = c + stride & ADDRESS;
        c50.fma(s, FloatVector.fromMemorySegment(FLOATS, MEMORY, c, ORDER)).intoMemorySegment(MEMORY, c, ORDER);
    }
}
