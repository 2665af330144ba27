package org.calm4j.kernels.driver;

import java.util.ArrayList;
import java.util.List;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;

/**
 * Memory that one operation needs while it runs. It grows to the largest operation, which occurs in the first step, and stays; the next
 * operation overwrites what one operation left there, since they run in order.
 */
public final class DeviceScratch implements AutoCloseable {
    private static final long ALIGNMENT = 256;

    private final CudaMemory memory;
    private final boolean apart;
    private final List<CudaBuffer> own = new ArrayList<>();
    private CudaBuffer buffer;
    private long used;

    /** @param apart for tests: each piece is a separate allocation, so that accesses beyond it are found */
    DeviceScratch(CudaMemory memory, boolean apart) {
        this.memory = memory;
        this.apart = apart;
    }

    /** Begins an operation that needs at most this many bytes, in this many pieces. */
    public void begin(long bytes, int pieces) {
        if (apart) {
            close();
            return;
        }
        long needed = bytes + pieces * ALIGNMENT;
        if (buffer == null || buffer.bytes() < needed) {
            close();
            buffer = memory.allocate(needed, "scratch");
        }
        used = 0;
    }

    public Tensor take(DType type, long... shape) {
        if (apart) {
            own.add(memory.allocate(Tensor.product(shape) * type.bytes(), "scratch"));
            return new Tensor("scratch", own.getLast(), 0, type, shape);
        }
        Tensor tensor = new Tensor("scratch", buffer, used, type, shape);
        used = used + tensor.bytes() + ALIGNMENT - 1 & -ALIGNMENT;
        return tensor;
    }

    @Override
    public void close() {
        own.forEach(CudaBuffer::close);
        own.clear();
        if (buffer != null) {
            buffer.close();
            buffer = null;
        }
    }
}
