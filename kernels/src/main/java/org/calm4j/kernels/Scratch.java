package org.calm4j.kernels;

import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;

/**
 * Memory that one operation needs while it runs. It grows to the largest operation, which comes in the first step, and stays; what one
 * operation left there, the next overwrites, since they run in order.
 */
final class Scratch implements AutoCloseable {
    private static final long ALIGNMENT = 256;

    private final Gpu gpu;
    private CudaBuffer buffer;
    private long used;

    Scratch(Gpu gpu) {
        this.gpu = gpu;
    }

    /** Begins an operation that takes no more than so many bytes, in so many pieces. */
    void begin(long bytes, int pieces) {
        long needed = bytes + pieces * ALIGNMENT;
        if (buffer == null || buffer.bytes() < needed) {
            close();
            buffer = gpu.allocate(needed, "scratch");
        }
        used = 0;
    }

    Tensor take(DType type, long... shape) {
        Tensor tensor = new Tensor("scratch", buffer, used, type, shape);
        used = used + tensor.bytes() + ALIGNMENT - 1 & -ALIGNMENT;
        return tensor;
    }

    @Override
    public void close() {
        if (buffer != null) {
            buffer.close();
            buffer = null;
        }
    }
}
