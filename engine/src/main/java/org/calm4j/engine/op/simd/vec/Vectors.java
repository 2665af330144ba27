package org.calm4j.engine.op.simd.vec;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/** The constants of all kernels. They are static and final, because only then the compiler keeps vectors in registers. */
public final class Vectors {
    /** Overrides the vector width in bits, so that tests can run the kernels of other machines. */
    private static final String WIDTH_PROPERTY = "calm4j.vectorBits";

    public static final VectorSpecies<Float> FLOATS = floats();
    public static final int LANES = FLOATS.length();
    public static final long BYTES = FLOATS.vectorByteSize();
    public static final ByteOrder ORDER = ByteOrder.nativeOrder();
    public static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
    public static final ValueLayout.OfDouble DOUBLE = ValueLayout.JAVA_DOUBLE_UNALIGNED;
    public static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;
    public static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED;
    public static final MemorySegment MEMORY = memory();
    /** Every address is smaller, so {@code p & ADDRESS} is p; the compiler then knows that p is within MEMORY, and omits the check. */
    public static final long ADDRESS = Long.MAX_VALUE >>> 1;
    /** The same for the distance of rows, some of which are added to an address. */
    public static final long STRIDE = Long.MAX_VALUE >>> 16;

    /**
     * A vector plus itself in these orders, one after another, has the sum of its lanes in every lane. {@code reduceLanes(ADD)} leaves the
     * order of additions, and with it the last bits, to whether the method is compiled yet.
     */
    public static final VectorShuffle<Float> FOLD8 = fold(8);

    public static final VectorShuffle<Float> FOLD4 = fold(4);
    public static final VectorShuffle<Float> FOLD2 = fold(2);
    public static final VectorShuffle<Float> FOLD1 = fold(1);
    /** Lanes whose number has that bit. */
    static final VectorMask<Float> BIT1 = VectorMask.fromLong(FLOATS, 0xaaaa_aaaaL & (1L << LANES) - 1);

    static final VectorMask<Float> BIT2 = VectorMask.fromLong(FLOATS, 0xcccc_ccccL & (1L << LANES) - 1);

    private Vectors() {}

    private static VectorShuffle<Float> fold(int distance) {
        return VectorShuffle.fromOp(FLOATS, i -> (i ^ distance) & LANES - 1);
    }

    /** This many floats, rounded up to whole vectors. */
    public static int roundUp(int count) {
        return count + LANES - 1 & -LANES;
    }

    private static VectorSpecies<Float> floats() {
        int preferred = FloatVector.SPECIES_PREFERRED.vectorBitSize();
        int bits = Math.clamp(Integer.getInteger(WIDTH_PROPERTY, preferred), 128, 512);
        return VectorSpecies.of(float.class, VectorShape.forBitSize(bits));
    }

    /** All of memory by absolute address: fewer nodes in a kernel than a segment per tensor. {@link Native} checks sizes before. */
    @SuppressWarnings("restricted")
    private static MemorySegment memory() {
        return MemorySegment.NULL.reinterpret(Long.MAX_VALUE);
    }
}
