package org.calm4j.engine.op.simd.vec;

import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;
import static org.calm4j.engine.op.simd.vec.Vectors.ADDRESS;
import static org.calm4j.engine.op.simd.vec.Vectors.MEMORY;
import static org.calm4j.engine.op.simd.vec.Vectors.ORDER;
import static org.calm4j.engine.op.simd.vec.Vectors.STRIDE;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/**
 * 8×8 blocks transposed by three rounds of exchanges between lanes whose numbers differ in one bit. The first round shifts pairs of lanes, which is
 * cheaper than rearranging them.
 */
final class Transpose {
    private static final VectorSpecies<Float> EIGHT = FloatVector.SPECIES_256;
    private static final VectorShuffle<Float> XOR2 = VectorShuffle.fromOp(EIGHT, i -> i ^ 2);
    private static final VectorShuffle<Float> XOR4 = VectorShuffle.fromOp(EIGHT, i -> i ^ 4);
    private static final VectorMask<Float> BIT1 = VectorMask.fromLong(EIGHT, 0b10101010);
    private static final VectorMask<Float> BIT2 = VectorMask.fromLong(EIGHT, 0b11001100);
    private static final VectorMask<Float> BIT4 = VectorMask.fromLong(EIGHT, 0b11110000);
    private static final int BLOCK_BYTES = 32;

    private Transpose() {}

    /**
     * {@code to[j][i] = from[i][j]} for i below eight and j below {@code 8·blocks}.
     *
     * @param row6 and row7 are the addresses of the last two rows: a panel of six rows has none, and repeats another
     */
    static void blocks(long to, long toStride, long from, long stride, long row6, long row7, int blocks) {
        from &= ADDRESS;
        row6 &= ADDRESS;
        row7 &= ADDRESS;
        stride &= STRIDE;
        toStride &= STRIDE;
        int end = (blocks & 0xffff) * BLOCK_BYTES;
        for (int p = 0; p < end; p += BLOCK_BYTES) {
            long x = from + p;
            long y = to & ADDRESS;
            FloatVector a0 = FloatVector.fromMemorySegment(EIGHT, MEMORY, x, ORDER);
            FloatVector a1 = FloatVector.fromMemorySegment(EIGHT, MEMORY, x + stride, ORDER);
            FloatVector b0 = a0.blend(a1.reinterpretAsLongs().lanewise(LSHL, 32).reinterpretAsFloats(), BIT1);
            FloatVector b1 = a0.reinterpretAsLongs()
                    .lanewise(LSHR, 32)
                    .reinterpretAsFloats()
                    .blend(a1, BIT1);
            FloatVector a2 = FloatVector.fromMemorySegment(EIGHT, MEMORY, x + 2 * stride, ORDER);
            FloatVector a3 = FloatVector.fromMemorySegment(EIGHT, MEMORY, x + 3 * stride, ORDER);
            FloatVector b2 = a2.blend(a3.reinterpretAsLongs().lanewise(LSHL, 32).reinterpretAsFloats(), BIT1);
            FloatVector b3 = a2.reinterpretAsLongs()
                    .lanewise(LSHR, 32)
                    .reinterpretAsFloats()
                    .blend(a3, BIT1);
            FloatVector a4 = FloatVector.fromMemorySegment(EIGHT, MEMORY, x + 4 * stride, ORDER);
            FloatVector a5 = FloatVector.fromMemorySegment(EIGHT, MEMORY, x + 5 * stride, ORDER);
            FloatVector b4 = a4.blend(a5.reinterpretAsLongs().lanewise(LSHL, 32).reinterpretAsFloats(), BIT1);
            FloatVector b5 = a4.reinterpretAsLongs()
                    .lanewise(LSHR, 32)
                    .reinterpretAsFloats()
                    .blend(a5, BIT1);
            FloatVector a6 = FloatVector.fromMemorySegment(EIGHT, MEMORY, row6 + p, ORDER);
            FloatVector a7 = FloatVector.fromMemorySegment(EIGHT, MEMORY, row7 + p, ORDER);
            FloatVector b6 = a6.blend(a7.reinterpretAsLongs().lanewise(LSHL, 32).reinterpretAsFloats(), BIT1);
            FloatVector b7 = a6.reinterpretAsLongs()
                    .lanewise(LSHR, 32)
                    .reinterpretAsFloats()
                    .blend(a7, BIT1);

            a0 = b0.blend(b2.rearrange(XOR2), BIT2);
            a2 = b0.rearrange(XOR2).blend(b2, BIT2);
            a4 = b4.blend(b6.rearrange(XOR2), BIT2);
            a6 = b4.rearrange(XOR2).blend(b6, BIT2);
            a0.blend(a4.rearrange(XOR4), BIT4).intoMemorySegment(MEMORY, y, ORDER);
            a2.blend(a6.rearrange(XOR4), BIT4).intoMemorySegment(MEMORY, y + 2 * toStride, ORDER);
            a0.rearrange(XOR4).blend(a4, BIT4).intoMemorySegment(MEMORY, y + 4 * toStride, ORDER);
            a2.rearrange(XOR4).blend(a6, BIT4).intoMemorySegment(MEMORY, y + 6 * toStride, ORDER);

            a1 = b1.blend(b3.rearrange(XOR2), BIT2);
            a3 = b1.rearrange(XOR2).blend(b3, BIT2);
            a5 = b5.blend(b7.rearrange(XOR2), BIT2);
            a7 = b5.rearrange(XOR2).blend(b7, BIT2);
            a1.blend(a5.rearrange(XOR4), BIT4).intoMemorySegment(MEMORY, y + toStride, ORDER);
            a3.blend(a7.rearrange(XOR4), BIT4).intoMemorySegment(MEMORY, y + 3 * toStride, ORDER);
            a1.rearrange(XOR4).blend(a5, BIT4).intoMemorySegment(MEMORY, y + 5 * toStride, ORDER);
            a3.rearrange(XOR4).blend(a7, BIT4).intoMemorySegment(MEMORY, y + 7 * toStride, ORDER);
            to += 8 * toStride;
        }
    }
}
