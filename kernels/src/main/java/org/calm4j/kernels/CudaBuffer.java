package org.calm4j.kernels;

import java.lang.foreign.MemorySegment;
import jcuda.driver.JCudaDriver;
import org.calm4j.engine.tensor.Buffer;

/** Memory of the device. */
final class CudaBuffer implements Buffer {
    private final Gpu gpu;
    private final DevicePointer pointer;
    private final long bytes;
    private boolean open = true;

    CudaBuffer(Gpu gpu, DevicePointer pointer, long bytes) {
        this.gpu = gpu;
        this.pointer = pointer;
        this.bytes = bytes;
    }

    DevicePointer pointer() {
        return pointer;
    }

    @Override
    public long bytes() {
        return bytes;
    }

    @Override
    public void read(long offset, MemorySegment to) {
        gpu.transfer().download(to, pointer.plus(offset));
    }

    @Override
    public void close() {
        // A context that is closed has taken its memory along.
        if (open && gpu.isOpen()) {
            open = false;
            gpu.enter();
            JCudaDriver.cuMemFree(pointer);
        }
    }
}
