package org.calm4j.engine.op.simd;

import static org.calm4j.engine.op.simd.Vectors.BYTES;
import static org.calm4j.engine.op.simd.Vectors.FLOAT;
import static org.calm4j.engine.op.simd.Vectors.FLOATS;
import static org.calm4j.engine.op.simd.Vectors.MEMORY;
import static org.calm4j.engine.op.simd.Vectors.ORDER;

import jdk.incubator.vector.FloatVector;

/**
 * The tiles of {@link Tile6} for few steps, as products with a thin LoRA matrix have them: checking bounds at each load is cheaper then than
 * entering a loop whose bounds are checked before.
 */
final class ShallowTile6 {
    /** From so many steps on {@link Tile6} is faster. */
    static final int STEPS = 96;

    private ShallowTile6() {
    }

    /** Sets a tile of 6 rows and two vectors: {@code c = α·a·b}. */
    static void set(long c, long stride, long a, long b, long steps, float alpha) {
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
        for (long bEnd = b + 2 * BYTES * steps; b != bEnd; b += 2 * BYTES, a += 4 * Tile6.LEFT) {
            FloatVector b0 = FloatVector.fromMemorySegment(FLOATS, MEMORY, b, ORDER);
            FloatVector b1 = FloatVector.fromMemorySegment(FLOATS, MEMORY, b + BYTES, ORDER);
            FloatVector a0 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, a));
            c00 = a0.fma(b0, c00);
            c01 = a0.fma(b1, c01);
            FloatVector a1 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, a + 4));
            c10 = a1.fma(b0, c10);
            c11 = a1.fma(b1, c11);
            FloatVector a2 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, a + 8));
            c20 = a2.fma(b0, c20);
            c21 = a2.fma(b1, c21);
            FloatVector a3 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, a + 12));
            c30 = a3.fma(b0, c30);
            c31 = a3.fma(b1, c31);
            FloatVector a4 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, a + 16));
            c40 = a4.fma(b0, c40);
            c41 = a4.fma(b1, c41);
            FloatVector a5 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, a + 20));
            c50 = a5.fma(b0, c50);
            c51 = a5.fma(b1, c51);
        }
        FloatVector s = FloatVector.broadcast(FLOATS, alpha);
        c00.mul(s).intoMemorySegment(MEMORY, c, ORDER);
        c01.mul(s).intoMemorySegment(MEMORY, c + BYTES, ORDER);
        c += stride;
        c10.mul(s).intoMemorySegment(MEMORY, c, ORDER);
        c11.mul(s).intoMemorySegment(MEMORY, c + BYTES, ORDER);
        c += stride;
        c20.mul(s).intoMemorySegment(MEMORY, c, ORDER);
        c21.mul(s).intoMemorySegment(MEMORY, c + BYTES, ORDER);
        c += stride;
        c30.mul(s).intoMemorySegment(MEMORY, c, ORDER);
        c31.mul(s).intoMemorySegment(MEMORY, c + BYTES, ORDER);
        c += stride;
        c40.mul(s).intoMemorySegment(MEMORY, c, ORDER);
        c41.mul(s).intoMemorySegment(MEMORY, c + BYTES, ORDER);
        c += stride;
        c50.mul(s).intoMemorySegment(MEMORY, c, ORDER);
        c51.mul(s).intoMemorySegment(MEMORY, c + BYTES, ORDER);
    }

    /** Adds to a tile of 6 rows and two vectors: {@code c += α·a·b}. */
    static void add(long c, long stride, long a, long b, long steps, float alpha) {
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
        for (long bEnd = b + 2 * BYTES * steps; b != bEnd; b += 2 * BYTES, a += 4 * Tile6.LEFT) {
            FloatVector b0 = FloatVector.fromMemorySegment(FLOATS, MEMORY, b, ORDER);
            FloatVector b1 = FloatVector.fromMemorySegment(FLOATS, MEMORY, b + BYTES, ORDER);
            FloatVector a0 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, a));
            c00 = a0.fma(b0, c00);
            c01 = a0.fma(b1, c01);
            FloatVector a1 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, a + 4));
            c10 = a1.fma(b0, c10);
            c11 = a1.fma(b1, c11);
            FloatVector a2 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, a + 8));
            c20 = a2.fma(b0, c20);
            c21 = a2.fma(b1, c21);
            FloatVector a3 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, a + 12));
            c30 = a3.fma(b0, c30);
            c31 = a3.fma(b1, c31);
            FloatVector a4 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, a + 16));
            c40 = a4.fma(b0, c40);
            c41 = a4.fma(b1, c41);
            FloatVector a5 = FloatVector.broadcast(FLOATS, MEMORY.get(FLOAT, a + 20));
            c50 = a5.fma(b0, c50);
            c51 = a5.fma(b1, c51);
        }
        FloatVector s = FloatVector.broadcast(FLOATS, alpha);
        c00.fma(s, FloatVector.fromMemorySegment(FLOATS, MEMORY, c, ORDER)).intoMemorySegment(MEMORY, c, ORDER);
        c01.fma(s, FloatVector.fromMemorySegment(FLOATS, MEMORY, c + BYTES, ORDER)).intoMemorySegment(MEMORY, c + BYTES, ORDER);
        c += stride;
        c10.fma(s, FloatVector.fromMemorySegment(FLOATS, MEMORY, c, ORDER)).intoMemorySegment(MEMORY, c, ORDER);
        c11.fma(s, FloatVector.fromMemorySegment(FLOATS, MEMORY, c + BYTES, ORDER)).intoMemorySegment(MEMORY, c + BYTES, ORDER);
        c += stride;
        c20.fma(s, FloatVector.fromMemorySegment(FLOATS, MEMORY, c, ORDER)).intoMemorySegment(MEMORY, c, ORDER);
        c21.fma(s, FloatVector.fromMemorySegment(FLOATS, MEMORY, c + BYTES, ORDER)).intoMemorySegment(MEMORY, c + BYTES, ORDER);
        c += stride;
        c30.fma(s, FloatVector.fromMemorySegment(FLOATS, MEMORY, c, ORDER)).intoMemorySegment(MEMORY, c, ORDER);
        c31.fma(s, FloatVector.fromMemorySegment(FLOATS, MEMORY, c + BYTES, ORDER)).intoMemorySegment(MEMORY, c + BYTES, ORDER);
        c += stride;
        c40.fma(s, FloatVector.fromMemorySegment(FLOATS, MEMORY, c, ORDER)).intoMemorySegment(MEMORY, c, ORDER);
        c41.fma(s, FloatVector.fromMemorySegment(FLOATS, MEMORY, c + BYTES, ORDER)).intoMemorySegment(MEMORY, c + BYTES, ORDER);
        c += stride;
        c50.fma(s, FloatVector.fromMemorySegment(FLOATS, MEMORY, c, ORDER)).intoMemorySegment(MEMORY, c, ORDER);
        c51.fma(s, FloatVector.fromMemorySegment(FLOATS, MEMORY, c + BYTES, ORDER)).intoMemorySegment(MEMORY, c + BYTES, ORDER);
    }
}
