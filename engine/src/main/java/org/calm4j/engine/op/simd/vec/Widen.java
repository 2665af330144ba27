package org.calm4j.engine.op.simd.vec;

import static org.calm4j.engine.op.simd.vec.Vectors.FLOAT;
import static org.calm4j.engine.op.simd.vec.Vectors.FLOATS;
import static org.calm4j.engine.op.simd.vec.Vectors.LANES;
import static org.calm4j.engine.op.simd.vec.Vectors.MEMORY;
import static org.calm4j.engine.op.simd.vec.Vectors.ORDER;
import static org.calm4j.engine.op.simd.vec.Vectors.SHORT;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;
import org.calm4j.engine.tensor.DType;

/** Stored types to F32; exact. */
public final class Widen {
    private static final VectorSpecies<Short> SHORTS =
            VectorSpecies.of(short.class, VectorShape.forBitSize(16 * LANES));
    private static final VectorSpecies<Integer> INTS = VectorSpecies.of(int.class, FLOATS.vectorShape());
    /** 2¹¹², between the exponent offsets of F16 and F32. */
    private static final float F16_SCALE = 0x1p112f;
    /** Infinity of F16 after its bits were moved to their places in F32. */
    private static final int F16_INFINITY = 0x0f80_0000;

    private Widen() {}

    /** {@code to[i] = from[i]}, from F32, BF16 or F16. */
    public static void row(long to, long from, DType type, int count) {
        switch (type) {
            case F32 -> MemorySegment.copy(MEMORY, from, MEMORY, to, 4L * count);
            case BF16 -> bf16(to, from, count);
            case F16 -> f16(to, from, count);
            default -> throw new IllegalArgumentException("no widening of " + type);
        }
    }

    private static void bf16(long to, long from, int count) {
        int i = 0;
        for (; i <= count - LANES; i += LANES) {
            IntVector bits = (IntVector) ShortVector.fromMemorySegment(SHORTS, MEMORY, from + 2L * i, ORDER)
                    .convertShape(VectorOperators.ZERO_EXTEND_S2I, INTS, 0);
            bits.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats().intoMemorySegment(MEMORY, to + 4L * i, ORDER);
        }
        for (; i < count; i++) {
            MEMORY.set(FLOAT, to + 4L * i, Float.intBitsToFloat(MEMORY.get(SHORT, from + 2L * i) << 16));
        }
    }

    private static void f16(long to, long from, int count) {
        int i = 0;
        for (; i <= count - LANES; i += LANES) {
            IntVector bits = (IntVector) ShortVector.fromMemorySegment(SHORTS, MEMORY, from + 2L * i, ORDER)
                    .convertShape(VectorOperators.ZERO_EXTEND_S2I, INTS, 0);
            IntVector magnitude = bits.and(0x7fff).lanewise(VectorOperators.LSHL, 13);
            FloatVector value = magnitude.reinterpretAsFloats().mul(F16_SCALE);
            IntVector finite = value.reinterpretAsInts();
            IntVector whole =
                    finite.blend(magnitude.or(0x7f80_0000), magnitude.compare(VectorOperators.GE, F16_INFINITY));
            whole.or(bits.and(0x8000).lanewise(VectorOperators.LSHL, 16))
                    .reinterpretAsFloats()
                    .intoMemorySegment(MEMORY, to + 4L * i, ORDER);
        }
        for (; i < count; i++) {
            MEMORY.set(FLOAT, to + 4L * i, Float.float16ToFloat(MEMORY.get(SHORT, from + 2L * i)));
        }
    }
}
