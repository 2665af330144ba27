package org.calm4j.kernels.driver;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import jcuda.CudaException;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;
import org.calm4j.engine.op.DeviceMemory;
import org.calm4j.engine.tensor.Tensor;

/** The device's memory: allocation, the copies that are freed when it runs short, and whether recorded addresses are still valid. */
public final class CudaMemory {
    private final Device device;
    private final Transfer transfer;
    private final List<CudaBuffer> dispensable = new ArrayList<>();
    private final List<CudaBuffer> toBeRounded = new ArrayList<>();
    private long generation;

    CudaMemory(Device device, Transfer transfer) {
        this.device = device;
        this.transfer = transfer;
    }

    Device device() {
        return device;
    }

    Transfer transfer() {
        return transfer;
    }

    /** Uninitialized memory. */
    public CudaBuffer allocate(long bytes, String what) {
        CudaBuffer buffer = allocateIfThere(bytes, what);
        while (buffer == null && !dispensable.isEmpty()) {
            dispensable.removeLast().dropRounded();
            buffer = allocateIfThere(bytes, what);
        }
        if (buffer == null) {
            long[] memory = device.context().memory();
            throw CalmException.failed(
                    String.format(
                            Locale.ROOT,
                            "the GPU's memory is too small: %s asked for %s, free are %s of %s%nsmaller: ",
                            what,
                            gib(bytes),
                            gib(memory[0]),
                            gib(memory[1])),
                    Setting.of("micro_batch_size").at(1),
                    ", ",
                    Setting.of("gradient_checkpointing"),
                    ", ",
                    Setting.of("lora_rank").at(8),
                    "; or ",
                    Setting.of("device").at("cpu"));
        }
        return buffer;
    }

    /** Null if there is not enough. */
    CudaBuffer allocateIfThere(long bytes, String what) {
        device.enter();
        DevicePointer pointer = new DevicePointer();
        try {
            JCudaDriver.cuMemAlloc(pointer, Math.max(bytes, 1));
        } catch (CudaException e) {
            if (String.valueOf(e.getMessage()).contains(CUresult.stringFor(CUresult.CUDA_ERROR_OUT_OF_MEMORY))) {
                return null;
            }
            throw device.fault("allocating " + bytes + " bytes for " + what, e);
        }
        return new CudaBuffer(this, pointer, bytes);
    }

    public void zero(Tensor x) {
        zero(CudaBuffer.pointer(x), x.bytes());
    }

    public void zero(DevicePointer to, long bytes) {
        if (bytes > 0) {
            device.call(
                    "setting memory",
                    () -> JCudaDriver.cuMemsetD8Async(
                            to, (byte) 0, bytes, device.stream().handle()));
        }
    }

    /** Both in the device's memory, of one type. */
    public void copy(Tensor to, Tensor from) {
        device.call(
                "copying",
                () -> JCudaDriver.cuMemcpyDtoDAsync(
                        CudaBuffer.pointer(to),
                        CudaBuffer.pointer(from),
                        from.bytes(),
                        device.stream().handle()));
    }

    /** Memory whose rounded copies only save time: they are freed when other allocations need the memory. */
    List<CudaBuffer> dispensable() {
        return dispensable;
    }

    /** Memory that will have rounded copies, made by its first product. */
    List<CudaBuffer> toBeRounded() {
        return toBeRounded;
    }

    /** Changes whenever an address, or a rounded copy, that recorded launches may read has changed. */
    public long generation() {
        return generation;
    }

    void outdate() {
        generation++;
    }

    /** Free bytes, without those reserved for rounded copies, and total bytes. */
    public DeviceMemory free() {
        device.enter();
        long[] memory = device.context().memory();
        long toCome = toBeRounded.stream().mapToLong(CudaBuffer::bytesToCome).sum();
        return new DeviceMemory(Math.max(0, memory[0] - toCome), memory[1]);
    }

    static String gib(long bytes) {
        return String.format(Locale.ROOT, "%.1f GiB", bytes / (double) (1L << 30));
    }
}
