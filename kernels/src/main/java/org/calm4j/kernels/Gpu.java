package org.calm4j.kernels;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import jcuda.CudaException;
import jcuda.driver.CUdevice_attribute;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;
import org.calm4j.engine.op.DeviceMemory;
import org.calm4j.engine.op.Precision;
import org.calm4j.engine.tensor.Tensor;

/**
 * One device with all that the operations share: its context and stream, the kernels, the matrix products, transfers and scratch memory.
 */
final class Gpu implements AutoCloseable {
    /** The variable that makes every launch wait for its end, so that a fault names its kernel. */
    static final String DEBUG = "CALM_CUDA_DEBUG";

    private static final long TRANSFER_PIECE = 1 << 20;

    private final boolean apart;
    private final boolean debug = "1".equals(System.getenv(DEBUG));
    private final Owners owners = new Owners();
    private final CudaContext context;
    private final CudaStream stream;
    private final KernelImage image;
    private final Launch launch;
    private final Transfer transfer;
    private final Scratch scratch;
    private final MatrixProduct product;
    private final List<CudaBuffer> dispensable = new ArrayList<>();
    private final List<CudaBuffer> toBeRounded = new ArrayList<>();
    private long generation;
    private boolean open = true;

    /** @param ordinal of a device that exists */
    Gpu(int ordinal, Precision precision) {
        this(ordinal, precision, false);
    }

    /** @param apart for tests, see {@link Scratch} */
    Gpu(int ordinal, Precision precision, boolean apart) {
        this.apart = apart;
        context = new CudaContext(ordinal);
        owners.add(context::close);
        try {
            stream = new CudaStream();
            owners.add(stream::close);
            image = KernelImage.load(context);
            owners.add(image.module()::close);
            launch = new Launch(this);
            transfer = new Transfer(this, TRANSFER_PIECE);
            owners.add(transfer::close);
            scratch = newScratch();
            owners.add(scratch::close);
            product = new MatrixProduct(this, precision);
            owners.add(product::close);
        } catch (RuntimeException | Error e) {
            owners.closeAfter(e);
            throw e;
        }
    }

    static long address(Tensor tensor) {
        if (!(tensor.buffer() instanceof CudaBuffer buffer)) {
            throw new IllegalArgumentException(tensor + " is not in the device's memory");
        }
        return buffer.pointer().address() + tensor.offset();
    }

    static DevicePointer pointer(Tensor tensor) {
        return ((CudaBuffer) tensor.buffer()).pointer().plus(tensor.offset());
    }

    /** Whether kernels may read four elements at a time: rows are a multiple of four long, and all tensors begin at 16 bytes. */
    static boolean wide(long rowSize, Tensor... tensors) {
        boolean wide = rowSize % 4 == 0;
        for (Tensor tensor : tensors) {
            wide &= address(tensor) % 16 == 0;
        }
        return wide;
    }

    static long ceilDiv(long a, long b) {
        return (a + b - 1) / b;
    }

    void enter() {
        context.enter();
    }

    boolean debug() {
        return debug;
    }

    /** Another number whenever an address, or a rounded copy, that recorded launches may read is no longer what it was. */
    long generation() {
        return generation;
    }

    void outdate() {
        generation++;
    }

    /** Memory whose rounded copies only save time: what is asked for else and is not there is taken from them. */
    List<CudaBuffer> dispensable() {
        return dispensable;
    }

    /** Memory that will have rounded copies, which a first product makes. */
    List<CudaBuffer> toBeRounded() {
        return toBeRounded;
    }

    /** Bytes that are free, without those that rounded copies are still to take, and all bytes. */
    DeviceMemory memory() {
        enter();
        long[] memory = context.memory();
        return new DeviceMemory(
                Math.max(
                        0,
                        memory[0]
                                - toBeRounded.stream()
                                        .mapToLong(CudaBuffer::bytesToCome)
                                        .sum()),
                memory[1]);
    }

    CudaStream stream() {
        return stream;
    }

    Transfer transfer() {
        return transfer;
    }

    Scratch scratch() {
        return scratch;
    }

    /** For what runs within operations that have scratch memory already. */
    Scratch newScratch() {
        return new Scratch(this, apart);
    }

    MatrixProduct product() {
        return product;
    }

    Kernel kernel(String name) {
        return new Kernel(name, image.module().function(name), launch);
    }

    /** Memory that is not set. */
    CudaBuffer allocate(long bytes, String what) {
        CudaBuffer buffer = allocateIfThere(bytes, what);
        while (buffer == null && !dispensable.isEmpty()) {
            dispensable.removeLast().dropRounded();
            buffer = allocateIfThere(bytes, what);
        }
        if (buffer == null) {
            long[] memory = context.memory();
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

    /** Null where there is not so much. */
    CudaBuffer allocateIfThere(long bytes, String what) {
        enter();
        DevicePointer pointer = new DevicePointer();
        try {
            JCudaDriver.cuMemAlloc(pointer, Math.max(bytes, 1));
        } catch (CudaException e) {
            if (String.valueOf(e.getMessage()).contains(CUresult.stringFor(CUresult.CUDA_ERROR_OUT_OF_MEMORY))) {
                return null;
            }
            throw fault("allocating " + bytes + " bytes for " + what, e);
        }
        return new CudaBuffer(this, pointer, bytes);
    }

    void zero(Tensor x) {
        zero(pointer(x), x.bytes());
    }

    void zero(DevicePointer to, long bytes) {
        if (bytes > 0) {
            call("setting memory", () -> JCudaDriver.cuMemsetD8Async(to, (byte) 0, bytes, stream.handle()));
        }
    }

    /** Waits for the device. */
    void synchronize() {
        call("waiting for the device", stream::synchronize);
    }

    /** Calls of the driver beside launches. What goes wrong in a kernel comes out at any of them, and they say so. */
    void call(String what, Runnable calls) {
        enter();
        try {
            calls.run();
        } catch (CudaException e) {
            throw fault("found while " + what + "; " + DEBUG + "=1 finds the kernel", e);
        }
    }

    CalmException fault(String where, CudaException e) {
        return CalmException.failed("the GPU reports " + e.getMessage() + " (" + where + ")", e);
    }

    String describe() {
        enter();
        return String.format(
                Locale.ROOT,
                "%s, compute capability %d.%d, %s, %s",
                context.name(),
                context.attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR),
                context.attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR),
                gib(context.memory()[1]),
                image.describe());
    }

    private static String gib(long bytes) {
        return String.format(Locale.ROOT, "%.1f GiB", bytes / (double) (1L << 30));
    }

    boolean isOpen() {
        return open;
    }

    @Override
    public void close() {
        if (open) {
            try {
                call("closing", owners::close);
            } finally {
                open = false;
            }
        }
    }
}
