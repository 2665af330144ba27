package org.calm4j.engine.op.simd;

import static org.calm4j.engine.op.simd.Vectors.ADDRESS;
import static org.calm4j.engine.op.simd.Vectors.MEMORY;
import static org.calm4j.engine.op.simd.Vectors.ORDER;
import static org.calm4j.engine.op.simd.Vectors.STRIDE;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/** An 8×8 block turned by three rounds of exchanges between lanes whose numbers differ in one bit. */
final class Transpose {
    private static final VectorSpecies<Float> EIGHT = FloatVector.SPECIES_256;
    private static final VectorShuffle<Float> XOR1 = VectorShuffle.fromOp(EIGHT, i -> i ^ 1);
    private static final VectorShuffle<Float> XOR2 = VectorShuffle.fromOp(EIGHT, i -> i ^ 2);
    private static final VectorShuffle<Float> XOR4 = VectorShuffle.fromOp(EIGHT, i -> i ^ 4);
    private static final VectorMask<Float> BIT1 = VectorMask.fromLong(EIGHT, 0b10101010);
    private static final VectorMask<Float> BIT2 = VectorMask.fromLong(EIGHT, 0b11001100);
    private static final VectorMask<Float> BIT4 = VectorMask.fromLong(EIGHT, 0b11110000);

    private Transpose() {
    }

    /**
     * {@code to[j][i] = from[i][j]} for i and j below eight.
     *
     * @param row6 and row7 are the addresses of the last two rows: a panel of six rows has none, and repeats another
     */
    static void block(long to, long toStride, long from, long stride, long row6, long row7) {
        from &= ADDRESS;
        stride &= STRIDE;
        FloatVector a0 = FloatVector.fromMemorySegment(EIGHT, MEMORY, from, ORDER);
        FloatVector a1 = FloatVector.fromMemorySegment(EIGHT, MEMORY, from + stride, ORDER);
        FloatVector a2 = FloatVector.fromMemorySegment(EIGHT, MEMORY, from + 2 * stride, ORDER);
        FloatVector a3 = FloatVector.fromMemorySegment(EIGHT, MEMORY, from + 3 * stride, ORDER);
        FloatVector a4 = FloatVector.fromMemorySegment(EIGHT, MEMORY, from + 4 * stride, ORDER);
        FloatVector a5 = FloatVector.fromMemorySegment(EIGHT, MEMORY, from + 5 * stride, ORDER);
        FloatVector a6 = FloatVector.fromMemorySegment(EIGHT, MEMORY, row6 & ADDRESS, ORDER);
        FloatVector a7 = FloatVector.fromMemorySegment(EIGHT, MEMORY, row7 & ADDRESS, ORDER);

        FloatVector b0 = a0.blend(a1.rearrange(XOR1), BIT1);
        FloatVector b1 = a0.rearrange(XOR1).blend(a1, BIT1);
        FloatVector b2 = a2.blend(a3.rearrange(XOR1), BIT1);
        FloatVector b3 = a2.rearrange(XOR1).blend(a3, BIT1);
        FloatVector b4 = a4.blend(a5.rearrange(XOR1), BIT1);
        FloatVector b5 = a4.rearrange(XOR1).blend(a5, BIT1);
        FloatVector b6 = a6.blend(a7.rearrange(XOR1), BIT1);
        FloatVector b7 = a6.rearrange(XOR1).blend(a7, BIT1);

        a0 = b0.blend(b2.rearrange(XOR2), BIT2);
        a2 = b0.rearrange(XOR2).blend(b2, BIT2);
        a1 = b1.blend(b3.rearrange(XOR2), BIT2);
        a3 = b1.rearrange(XOR2).blend(b3, BIT2);
        a4 = b4.blend(b6.rearrange(XOR2), BIT2);
        a6 = b4.rearrange(XOR2).blend(b6, BIT2);
        a5 = b5.blend(b7.rearrange(XOR2), BIT2);
        a7 = b5.rearrange(XOR2).blend(b7, BIT2);

        to &= ADDRESS;
        toStride &= STRIDE;
        a0.blend(a4.rearrange(XOR4), BIT4).intoMemorySegment(MEMORY, to, ORDER);
        a1.blend(a5.rearrange(XOR4), BIT4).intoMemorySegment(MEMORY, to + toStride, ORDER);
        a2.blend(a6.rearrange(XOR4), BIT4).intoMemorySegment(MEMORY, to + 2 * toStride, ORDER);
        a3.blend(a7.rearrange(XOR4), BIT4).intoMemorySegment(MEMORY, to + 3 * toStride, ORDER);
        a0.rearrange(XOR4).blend(a4, BIT4).intoMemorySegment(MEMORY, to + 4 * toStride, ORDER);
        a1.rearrange(XOR4).blend(a5, BIT4).intoMemorySegment(MEMORY, to + 5 * toStride, ORDER);
        a2.rearrange(XOR4).blend(a6, BIT4).intoMemorySegment(MEMORY, to + 6 * toStride, ORDER);
        a3.rearrange(XOR4).blend(a7, BIT4).intoMemorySegment(MEMORY, to + 7 * toStride, ORDER);
    }
}
