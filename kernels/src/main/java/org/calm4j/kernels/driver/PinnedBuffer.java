package org.calm4j.kernels.driver;

import java.lang.foreign.MemorySegment;
import jcuda.Pointer;
import jcuda.driver.JCudaDriver;

/** Host memory that the device copies from and to by itself, without the host waiting. */
final class PinnedBuffer implements AutoCloseable {
    private final Pointer pointer = new Pointer();
    private final MemorySegment segment;
    private boolean open = true;

    PinnedBuffer(long bytes) {
        JCudaDriver.cuMemAllocHost(pointer, bytes);
        segment = MemorySegment.ofBuffer(pointer.getByteBuffer(0, bytes));
    }

    Pointer pointer() {
        return pointer;
    }

    MemorySegment segment() {
        return segment;
    }

    @Override
    public void close() {
        if (open) {
            open = false;
            JCudaDriver.cuMemFreeHost(pointer);
        }
    }
}
