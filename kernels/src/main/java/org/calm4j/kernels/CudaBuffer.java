package org.calm4j.kernels;

import java.lang.foreign.MemorySegment;
import jcuda.driver.JCudaDriver;
import org.calm4j.engine.tensor.Buffer;

/** Memory of the device. */
final class CudaBuffer implements Buffer {
    private final Gpu gpu;
    private final DevicePointer pointer;
    private final long bytes;
    /** The F32 elements rounded to BF16, where products read them so often that a copy is kept; else null. */
    private CudaBuffer rounded;
    private boolean roundedIsOld;
    private boolean open = true;

    CudaBuffer(Gpu gpu, DevicePointer pointer, long bytes) {
        this.gpu = gpu;
        this.pointer = pointer;
        this.bytes = bytes;
    }

    DevicePointer pointer() {
        return pointer;
    }

    /** Keeps a rounded copy from now on. */
    void keepRounded() {
        if (rounded == null) {
            rounded = gpu.allocate(bytes / 2, "the weights in BF16");
            roundedIsOld = true;
        }
    }

    /** The rounded copy, null where none is kept. It is old after {@link #changed}, until {@link #refreshed}. */
    CudaBuffer rounded() {
        return rounded;
    }

    boolean roundedIsOld() {
        return roundedIsOld;
    }

    void refreshed() {
        roundedIsOld = false;
    }

    /** Something else than {@code adamW} wrote elements. */
    void changed() {
        if (rounded != null && !roundedIsOld) {
            roundedIsOld = true;
            gpu.outdate();
        }
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
            if (rounded != null) {
                rounded.close();
            }
            gpu.outdate();
            gpu.call("freeing memory", () -> JCudaDriver.cuMemFree(pointer));
        }
    }
}
