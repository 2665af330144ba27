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
 * Register tiles of four rows, for the last rows of a product, where a taller tile would compute many unneeded ones. Eight accumulators are
 * what two multiply-adds per cycle with a latency of four need. Otherwise as {@link Tile6}.
 */
final class Tile4 {
    static final int ROWS = 4;
    /** Floats of one step of the left panel, whose last four are not read; as many as the taller tiles have. */
    private static final int LEFT = 8;

    private static final int STEP = 4 * LEFT;
    private static final long SCALE = 2 * BYTES / STEP;

    private Tile4() {}

    /** Sets a tile of 4 rows and two vectors: {@code c = α·a·b}. */
    static void set(long c, long stride, long a, long b, int steps, float alpha) {
        FloatVector c00 = FloatVector.zero(FLOATS);
        FloatVector c01 = FloatVector.zero(FLOATS);
        FloatVector c10 = FloatVector.zero(FLOATS);
        FloatVector c11 = FloatVector.zero(FLOATS);
        FloatVector c20 = FloatVector.zero(FLOATS);
        FloatVector c21 = FloatVector.zero(FLOATS);
        FloatVector c30 = FloatVector.zero(FLOATS);
        FloatVector c31 = FloatVector.zero(FLOATS);
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
    }

    /** Adds to a tile of 4 rows and two vectors: {@code c += α·a·b}. */
    static void add(long c, long stride, long a, long b, int steps, float alpha) {
        FloatVector c00 = FloatVector.zero(FLOATS);
        FloatVector c01 = FloatVector.zero(FLOATS);
        FloatVector c10 = FloatVector.zero(FLOATS);
        FloatVector c11 = FloatVector.zero(FLOATS);
        FloatVector c20 = FloatVector.zero(FLOATS);
        FloatVector c21 = FloatVector.zero(FLOATS);
        FloatVector c30 = FloatVector.zero(FLOATS);
        FloatVector c31 = FloatVector.zero(FLOATS);
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
    }
}
