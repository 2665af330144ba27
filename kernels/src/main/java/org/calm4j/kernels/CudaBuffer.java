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
    /** A copy is to be made when a product first reads the elements, if there is memory then. */
    private boolean roundsWhenRead;
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
        roundsWhenRead = false;
        gpu.dispensable().remove(this);
        if (rounded == null) {
            rounded = gpu.allocate(bytes / 2, "the weights in BF16");
            roundedIsOld = true;
        }
    }

    /** Keeps a rounded copy from the first product on that reads the elements, unless memory is short then, until it is. */
    void keepRoundedWhileThereIsMemory() {
        roundsWhenRead = rounded == null;
    }

    /** Whether a product that reads the elements finds them rounded. */
    boolean keepsRounded() {
        if (roundsWhenRead) {
            roundsWhenRead = false;
            rounded = gpu.allocateIfThere(bytes / 2, "the weights in BF16");
            if (rounded != null) {
                roundedIsOld = true;
                gpu.dispensable().add(this);
            }
        }
        return rounded != null;
    }

    /** Gives the rounded copy back; products round anew from now on. */
    void dropRounded() {
        rounded.close();
        rounded = null;
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
            gpu.dispensable().remove(this);
            if (rounded != null) {
                rounded.close();
            }
            gpu.outdate();
            gpu.call("freeing memory", () -> JCudaDriver.cuMemFree(pointer));
        }
    }
}
