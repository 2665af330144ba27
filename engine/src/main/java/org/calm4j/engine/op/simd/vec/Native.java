package org.calm4j.engine.op.simd.vec;

import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;

/** The gate to the kernels: a tensor's address, after checking its type and size. Kernels check nothing. */
public final class Native {
    private Native() {}

    /** The address of an F32 tensor of that many elements. */
    public static long f32(Tensor x, long size) {
        if (x.type() != DType.F32) {
            throw new IllegalArgumentException(x + " is not F32");
        }
        return address(x, size);
    }

    /** The address of a weight: F32, BF16 or F16. */
    public static long weight(Tensor x, long size) {
        if (x.type() != DType.F32 && x.type() != DType.BF16 && x.type() != DType.F16) {
            throw new IllegalArgumentException(x + " is neither F32 nor BF16 nor F16");
        }
        return address(x, size);
    }

    /** The address of an I32 tensor of that many elements, each in [0,bound). */
    public static long indices(Tensor x, long size, long bound) {
        if (x.type() != DType.I32) {
            throw new IllegalArgumentException(x + " is not I32");
        }
        long address = address(x, size);
        for (long i = 0; i < size; i++) {
            int index = Vectors.MEMORY.get(Vectors.INT, address + 4 * i);
            if (index < 0 || index >= bound) {
                throw new IndexOutOfBoundsException(x + " has " + index + " at " + i + ", not in [0," + bound + ")");
            }
        }
        return address;
    }

    private static long address(Tensor x, long size) {
        if (x.size() != size) {
            throw new IllegalArgumentException(x + " has " + x.size() + " elements, not " + size);
        }
        return any(x);
    }

    /** The address of any tensor. */
    public static long any(Tensor x) {
        if (!x.segment().scope().isAlive()) {
            throw new IllegalStateException(x + " is in closed memory");
        }
        return x.segment().address();
    }
}
