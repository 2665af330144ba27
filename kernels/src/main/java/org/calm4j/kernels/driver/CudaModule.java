package org.calm4j.kernels.driver;

import jcuda.driver.CUfunction;
import jcuda.driver.CUmodule;
import jcuda.driver.JCudaDriver;

/** The kernels, loaded into a context. */
final class CudaModule implements AutoCloseable {
    private final CUmodule module = new CUmodule();
    private boolean open = true;

    /** @param image PTX text with a zero at its end, or a cubin */
    CudaModule(byte[] image) {
        JCudaDriver.cuModuleLoadData(module, image);
    }

    CUfunction function(String name) {
        CUfunction function = new CUfunction();
        JCudaDriver.cuModuleGetFunction(function, module, name);
        return function;
    }

    @Override
    public void close() {
        if (open) {
            open = false;
            JCudaDriver.cuModuleUnload(module);
        }
    }
}
