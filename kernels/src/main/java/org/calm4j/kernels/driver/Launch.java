package org.calm4j.kernels.driver;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Locale;
import jcuda.CudaException;
import jcuda.Pointer;
import jcuda.driver.CUfunction;
import jcuda.driver.JCudaDriver;
import org.calm4j.engine.tensor.Tensor;

/**
 * One launch under way: its parameters in a direct buffer that is used again for all launches, since the driver copies them at the call.
 * First come the addresses of the slots, which never change, then the slots of eight bytes; a whole number is written with all eight, so
 * that it is right for an int and for a long parameter alike.
 */
public final class Launch {
    private static final int SLOTS = 32;

    private final Device device;
    private final ByteBuffer buffer = ByteBuffer.allocateDirect(2 * 8 * SLOTS).order(ByteOrder.nativeOrder());
    private final Pointer parameters = Pointer.to(buffer);
    private final Pointer nothing = new Pointer();
    private final StringBuilder tensors = new StringBuilder();
    private String name;
    private CUfunction function;
    private int gridX;
    private int gridY;
    private int gridZ;
    private int block;
    private int shared;
    private int slot;

    Launch(Device device) {
        this.device = device;
        long address = MemorySegment.ofBuffer(buffer).address();
        for (int i = 0; i < SLOTS; i++) {
            buffer.putLong(8 * i, address + 8L * (SLOTS + i));
        }
    }

    Launch of(String name, CUfunction function, int gridX, int gridY, int gridZ, int block, int shared) {
        this.name = name;
        this.function = function;
        this.gridX = gridX;
        this.gridY = gridY;
        this.gridZ = gridZ;
        this.block = block;
        this.shared = shared;
        slot = SLOTS;
        tensors.setLength(0);
        return this;
    }

    /** The address of the tensor's first element. */
    public Launch with(Tensor tensor) {
        if (device.debug()) {
            tensors.append(' ').append(tensor);
        }
        return with(CudaBuffer.address(tensor));
    }

    /** The address of the tensor's first element, or a null pointer. */
    public Launch withOptional(Tensor tensor) {
        return tensor == null ? with(0L) : with(tensor);
    }

    /** The address of a tensor of any floating type, and the number that {@code vector.cuh} has for its type. */
    public Launch withTyped(Tensor tensor) {
        return with(tensor)
                .with(
                        switch (tensor.type()) {
                            case F32 -> 0;
                            case BF16 -> 1;
                            case F16 -> 2;
                            case F64, I32 -> throw new IllegalArgumentException("no kernel takes " + tensor + " here");
                        });
    }

    /** A whole number, or an address. */
    public Launch with(long value) {
        buffer.putLong(8 * slot++, value);
        return this;
    }

    public Launch with(float value) {
        buffer.putFloat(8 * slot++, value);
        return this;
    }

    public Launch with(double value) {
        buffer.putDouble(8 * slot++, value);
        return this;
    }

    public Launch with(boolean value) {
        return with(value ? 1L : 0L);
    }

    /** Makes the device's context this thread's. */
    void enter() {
        device.enter();
    }

    public void run() {
        if (gridX == 0 || gridY == 0 || gridZ == 0) {
            return;
        }
        device.enter();
        try {
            JCudaDriver.cuLaunchKernel(
                    function,
                    gridX,
                    gridY,
                    gridZ,
                    block,
                    1,
                    1,
                    shared,
                    device.stream().handle(),
                    parameters,
                    nothing);
            if (device.debug()) {
                device.stream().synchronize();
            }
        } catch (CudaException e) {
            throw device.fault(
                    String.format(
                            Locale.ROOT,
                            "kernel %s, grid %d × %d × %d, block %d, %d bytes shared, tensors%s",
                            name,
                            gridX,
                            gridY,
                            gridZ,
                            block,
                            shared,
                            device.debug() ? tensors : " named with " + Device.DEBUG + "=1"),
                    e);
        }
    }
}
