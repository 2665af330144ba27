package org.calm4j.kernels.driver;

import jcuda.driver.CUdeviceptr;

/** A device pointer that exposes its address, which JCuda hides; the launches need it as a number. */
public final class DevicePointer extends CUdeviceptr {
    DevicePointer() {}

    private DevicePointer(DevicePointer base, long bytes) {
        super(base, bytes);
    }

    public long address() {
        return getNativePointer() + getByteOffset();
    }

    DevicePointer plus(long bytes) {
        return new DevicePointer(this, bytes);
    }
}
