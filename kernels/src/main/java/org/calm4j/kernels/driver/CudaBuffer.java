package org.calm4j.kernels.driver;

import java.lang.foreign.MemorySegment;
import jcuda.driver.JCudaDriver;
import org.calm4j.engine.tensor.Buffer;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;

/** Memory of the device. */
public final class CudaBuffer implements Buffer {
    private final CudaMemory memory;
    private final DevicePointer pointer;
    private final long bytes;
    /** All elements rounded to BF16, if a copy is kept because products read them often; else null. */
    private CudaBuffer rounded;
    /** The type of the rounded elements. Elements of another type are undefined in the copy, and are not read there. */
    private DType roundedFrom;

    private boolean roundedIsOld;
    /** A copy will be made when a product first reads the elements, if there is memory then. */
    private boolean roundsWhenRead;

    private boolean open = true;

    CudaBuffer(CudaMemory memory, DevicePointer pointer, long bytes) {
        this.memory = memory;
        this.pointer = pointer;
        this.bytes = bytes;
    }

    /** The address of the tensor's first element. */
    public static long address(Tensor tensor) {
        if (!(tensor.buffer() instanceof CudaBuffer buffer)) {
            throw new IllegalArgumentException(tensor + " is not in the device's memory");
        }
        return buffer.pointer().address() + tensor.offset();
    }

    public static DevicePointer pointer(Tensor tensor) {
        return ((CudaBuffer) tensor.buffer()).pointer().plus(tensor.offset());
    }

    /** Whether kernels may read four elements at a time: rows are a multiple of four long, and all tensors begin at 16 bytes. */
    public static boolean wide(long rowSize, Tensor... tensors) {
        boolean wide = rowSize % 4 == 0;
        for (Tensor tensor : tensors) {
            wide &= address(tensor) % 16 == 0;
        }
        return wide;
    }

    public DevicePointer pointer() {
        return pointer;
    }

    /** Keeps a rounded copy of the F32 elements from now on. */
    public void keepRounded() {
        roundsWhenRead = false;
        memory.toBeRounded().remove(this);
        roundedFrom = DType.F32;
        memory.dispensable().remove(this);
        if (rounded == null) {
            rounded = memory.allocate(bytes / 2, "the weights in BF16");
            roundedIsOld = true;
        }
    }

    /** Keeps a rounded copy, made by the first product that reads elements of that type, unless and until memory is short. */
    public void keepRoundedWhileThereIsMemory(DType type) {
        if (rounded == null && !roundsWhenRead) {
            roundsWhenRead = true;
            roundedFrom = type;
            memory.toBeRounded().add(this);
        }
    }

    private long roundedBytes() {
        return bytes / roundedFrom.bytes() * DType.BF16.bytes();
    }

    /** Bytes of a rounded copy that will be made later. */
    long bytesToCome() {
        return roundsWhenRead ? roundedBytes() : 0;
    }

    /** Whether a product that reads elements of that type finds them rounded. */
    public boolean keepsRounded(DType type) {
        if (type != roundedFrom) {
            return false;
        }
        if (roundsWhenRead) {
            roundsWhenRead = false;
            memory.toBeRounded().remove(this);
            rounded = memory.allocateIfThere(roundedBytes(), "the weights in BF16");
            if (rounded != null) {
                roundedIsOld = true;
                memory.dispensable().add(this);
            }
        }
        return rounded != null;
    }

    /** Frees the rounded copy; products round again from now on. */
    void dropRounded() {
        rounded.close();
        rounded = null;
    }

    /** The rounded copy, null if none is kept. It is stale after {@link #changed}, until {@link #refreshed}. */
    public CudaBuffer rounded() {
        return rounded;
    }

    public boolean roundedIsOld() {
        return roundedIsOld;
    }

    public void refreshed() {
        roundedIsOld = false;
    }

    /** Elements were written by something other than {@code adamW}. */
    public void changed() {
        if (rounded != null && !roundedIsOld) {
            roundedIsOld = true;
            memory.outdate();
        }
    }

    @Override
    public long bytes() {
        return bytes;
    }

    @Override
    public void read(long offset, MemorySegment to) {
        memory.transfer().download(to, pointer.plus(offset));
    }

    @Override
    public void close() {
        // Without its context it cannot be freed.
        if (open && memory.device().isOpen()) {
            open = false;
            memory.dispensable().remove(this);
            memory.toBeRounded().remove(this);
            if (rounded != null) {
                rounded.close();
            }
            memory.outdate();
            memory.device().call("freeing memory", () -> JCudaDriver.cuMemFree(pointer));
        }
    }
}
