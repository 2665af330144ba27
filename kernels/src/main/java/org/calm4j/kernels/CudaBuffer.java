package org.calm4j.kernels;

import java.lang.foreign.MemorySegment;
import jcuda.driver.JCudaDriver;
import org.calm4j.engine.tensor.Buffer;
import org.calm4j.engine.tensor.DType;

/** Memory of the device. */
final class CudaBuffer implements Buffer {
    private final Gpu gpu;
    private final DevicePointer pointer;
    private final long bytes;
    /** All elements rounded to BF16, where products read them so often that a copy is kept; else null. */
    private CudaBuffer rounded;
    /** The type of the elements that are rounded. What has another type among them is nothing in the copy, and nobody reads it there. */
    private DType roundedFrom;

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

    /** Keeps a rounded copy of the F32 elements from now on. */
    void keepRounded() {
        roundsWhenRead = false;
        gpu.toBeRounded().remove(this);
        roundedFrom = DType.F32;
        gpu.dispensable().remove(this);
        if (rounded == null) {
            rounded = gpu.allocate(bytes / 2, "the weights in BF16");
            roundedIsOld = true;
        }
    }

    /** Keeps a rounded copy from the first product on that reads elements of that type, unless memory is short then, until it is. */
    void keepRoundedWhileThereIsMemory(DType type) {
        if (rounded == null && !roundsWhenRead) {
            roundsWhenRead = true;
            roundedFrom = type;
            gpu.toBeRounded().add(this);
        }
    }

    private long roundedBytes() {
        return bytes / roundedFrom.bytes() * DType.BF16.bytes();
    }

    /** What a rounded copy will take that is still to be made. */
    long bytesToCome() {
        return roundsWhenRead ? roundedBytes() : 0;
    }

    /** Whether a product that reads elements of that type finds them rounded. */
    boolean keepsRounded(DType type) {
        if (type != roundedFrom) {
            return false;
        }
        if (roundsWhenRead) {
            roundsWhenRead = false;
            gpu.toBeRounded().remove(this);
            rounded = gpu.allocateIfThere(roundedBytes(), "the weights in BF16");
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
        // Without its context it is out of reach.
        if (open && gpu.isOpen()) {
            open = false;
            gpu.dispensable().remove(this);
            gpu.toBeRounded().remove(this);
            if (rounded != null) {
                rounded.close();
            }
            gpu.outdate();
            gpu.call("freeing memory", () -> JCudaDriver.cuMemFree(pointer));
        }
    }
}
