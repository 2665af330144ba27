package org.calm4j.kernels.driver;

import java.nio.charset.StandardCharsets;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdevice_attribute;
import jcuda.driver.JCudaDriver;

/**
 * A reference to one device's primary context, which the CUDA runtime, and cuBLAS with it, uses too. Calls of the driver reach the context
 * that is current on their thread; {@link #enter} makes it this one.
 */
public final class CudaContext implements AutoCloseable {
    private static final ThreadLocal<CudaContext> CURRENT = new ThreadLocal<>();

    private final CUdevice device = new CUdevice();
    private final CUcontext context = new CUcontext();
    private boolean open = true;

    /** @param ordinal of a device that exists */
    public CudaContext(int ordinal) {
        JCudaDriver.cuDeviceGet(device, ordinal);
        JCudaDriver.cuDevicePrimaryCtxRetain(context, device);
        JCudaDriver.cuCtxSetCurrent(context);
        CURRENT.set(this);
    }

    void enter() {
        if (CURRENT.get() != this) {
            JCudaDriver.cuCtxSetCurrent(context);
            CURRENT.set(this);
        }
    }

    /** @param attribute of {@link CUdevice_attribute} */
    public int attribute(int attribute) {
        int[] value = new int[1];
        JCudaDriver.cuDeviceGetAttribute(value, attribute, device);
        return value[0];
    }

    public String name() {
        byte[] name = new byte[256];
        JCudaDriver.cuDeviceGetName(name, name.length, device);
        return text(name);
    }

    /** The text before the first zero. */
    public static String text(byte[] bytes) {
        return new String(bytes, StandardCharsets.UTF_8).split("\0", 2)[0];
    }

    /** Free and total bytes of the device. */
    long[] memory() {
        long[] free = new long[1];
        long[] all = new long[1];
        JCudaDriver.cuMemGetInfo(free, all);
        return new long[] {free[0], all[0]};
    }

    /** The context ends with its last reference; what is left in it may stay until the process ends. */
    @Override
    public void close() {
        if (open) {
            open = false;
            CURRENT.remove();
            JCudaDriver.cuDevicePrimaryCtxRelease(device);
        }
    }
}
