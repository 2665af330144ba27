package org.calm4j.engine.op.simd.vec;

import static org.calm4j.engine.op.simd.vec.Vectors.FLOAT;
import static org.calm4j.engine.op.simd.vec.Vectors.FLOATS;
import static org.calm4j.engine.op.simd.vec.Vectors.LANES;
import static org.calm4j.engine.op.simd.vec.Vectors.MEMORY;
import static org.calm4j.engine.op.simd.vec.Vectors.ORDER;

import jdk.incubator.vector.FloatVector;

/** A row times a number. */
public final class Scale {
    private Scale() {}

    /** {@code x[i] *= factor}. */
    public static void row(long x, float factor, int count) {
        int i = 0;
        for (; i <= count - LANES; i += LANES) {
            FloatVector.fromMemorySegment(FLOATS, MEMORY, x + 4L * i, ORDER)
                    .mul(factor)
                    .intoMemorySegment(MEMORY, x + 4L * i, ORDER);
        }
        for (; i < count; i++) {
            MEMORY.set(FLOAT, x + 4L * i, MEMORY.get(FLOAT, x + 4L * i) * factor);
        }
    }
}
