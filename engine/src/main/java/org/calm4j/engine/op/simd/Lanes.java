package org.calm4j.engine.op.simd;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;

/**
 * What all kernels share: the vector width, and all memory as one segment read by absolute addresses. One segment at every call site keeps
 * the compiler's inlining intact; it gives up bounds checks, so that sizes are checked where an operation begins.
 */
final class Lanes {
    static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;
    /** Floats of a vector. */
    static final int LANES = SPECIES.length();
    /** Bytes of a vector. */
    static final int WIDTH = SPECIES.vectorByteSize();
    @SuppressWarnings("restricted")
    static final MemorySegment ALL = MemorySegment.NULL.reinterpret(Long.MAX_VALUE);
    static final ByteOrder ORDER = ByteOrder.nativeOrder();
    static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
    static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;
    static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED;

    private static final VectorShuffle<Float> BY_8 = VectorShuffle.fromOp(SPECIES, i -> i ^ 8 & LANES - 1);
    private static final VectorShuffle<Float> BY_4 = VectorShuffle.fromOp(SPECIES, i -> i ^ 4 & LANES - 1);
    private static final VectorShuffle<Float> BY_2 = VectorShuffle.fromOp(SPECIES, i -> i ^ 2 & LANES - 1);
    private static final VectorShuffle<Float> BY_1 = VectorShuffle.fromOp(SPECIES, i -> i ^ 1 & LANES - 1);

    private Lanes() {
    }

    /** The sum of the lanes in one fixed order: {@code reduceLanes(ADD)} leaves the order, and with it the last bits, to the compiler. */
    static float sum(FloatVector x) {
        FloatVector folded = x;
        if (LANES > 8) {
            folded = folded.add(folded.rearrange(BY_8));
        }
        if (LANES > 4) {
            folded = folded.add(folded.rearrange(BY_4));
        }
        if (LANES > 2) {
            folded = folded.add(folded.rearrange(BY_2));
        }
        return folded.add(folded.rearrange(BY_1)).lane(0);
    }

    /** Where an F32 or I32 tensor of at least that many elements begins. */
    static long address(Tensor tensor, long size) {
        if (tensor.size() < size || tensor.type() != DType.F32 && tensor.type() != DType.I32) {
            throw new IllegalArgumentException(tensor + " where " + size + " F32 or I32 elements are needed");
        }
        return tensor.segment().address();
    }

    static long address(Tensor tensor) {
        return address(tensor, 0);
    }
}
