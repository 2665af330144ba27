package org.calm4j.kernels.driver;

import java.util.Locale;
import jcuda.driver.CUdevice_attribute;

/** One device with everything that the operations share: its memory and transfers, the kernels, cuBLAS and scratch memory. */
public final class Gpu implements AutoCloseable {
    private static final long TRANSFER_PIECE = 1 << 20;

    private final int ordinal;
    private final boolean apart;
    private final Owners owners = new Owners();
    private final Device device;
    private final KernelImage image;
    private final Launch launch;
    private final Transfer transfer;
    private final CudaMemory memory;
    private final DeviceScratch scratch;
    private final Cublas cublas;

    /**
     * @param ordinal of a device that exists
     * @param apart for tests, see {@link DeviceScratch}
     */
    public Gpu(int ordinal, boolean apart) {
        this.ordinal = ordinal;
        this.apart = apart;
        device = new Device(ordinal);
        owners.add(device::close);
        try {
            image = KernelImage.load(device.context());
            owners.add(image.module()::close);
            launch = new Launch(device);
            transfer = new Transfer(device, TRANSFER_PIECE);
            owners.add(transfer::close);
            memory = new CudaMemory(device, transfer);
            scratch = newScratch();
            owners.add(scratch::close);
            cublas = new Cublas(device, memory);
            owners.add(cublas::close);
        } catch (RuntimeException | Error e) {
            owners.closeAfter(e);
            throw e;
        }
    }

    public Device device() {
        return device;
    }

    public CudaMemory memory() {
        return memory;
    }

    public Transfer transfer() {
        return transfer;
    }

    public DeviceScratch scratch() {
        return scratch;
    }

    /** For work within operations that use the scratch memory already. */
    public DeviceScratch newScratch() {
        return new DeviceScratch(memory, apart);
    }

    public Cublas cublas() {
        return cublas;
    }

    public Kernel kernel(String name) {
        return new Kernel(name, image.module().function(name), launch);
    }

    /** Its name among the devices of all machines. */
    public String uuid() {
        return DeviceUuid.of(ordinal);
    }

    public String describe() {
        device.enter();
        CudaContext context = device.context();
        return String.format(
                Locale.ROOT,
                "%s, compute capability %d.%d, %s, %s",
                context.name(),
                context.attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR),
                context.attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR),
                CudaMemory.gib(context.memory()[1]),
                image.describe());
    }

    @Override
    public void close() {
        if (device.isOpen()) {
            device.call("closing", owners::close);
        }
    }
}
