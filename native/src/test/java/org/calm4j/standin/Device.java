package org.calm4j.standin;

import java.nio.charset.StandardCharsets;
import jcuda.Pointer;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUfunction;
import jcuda.driver.CUmodule;
import jcuda.driver.CUstream;
import jcuda.driver.JCudaDriver;

/** A context on the stand-in with the kernels of its tests, for one test. */
final class Device implements AutoCloseable {
    private final CUcontext context = new CUcontext();
    private final CUmodule module = new CUmodule();

    Device() {
        JCudaDriver.setExceptionsEnabled(true);
        JCudaDriver.cuInit(0);
        JCudaDriver.cuCtxCreate(context, 0, new CUdevice());
        JCudaDriver.cuModuleLoadData(module, "SIMT\0".getBytes(StandardCharsets.US_ASCII));
    }

    CUfunction function(String name) {
        CUfunction function = new CUfunction();
        JCudaDriver.cuModuleGetFunction(function, module, name);
        return function;
    }

    static CUdeviceptr allocate(long bytes) {
        CUdeviceptr memory = new CUdeviceptr();
        JCudaDriver.cuMemAlloc(memory, bytes);
        return memory;
    }

    static CUdeviceptr copy(float[] x) {
        CUdeviceptr memory = allocate(4L * x.length);
        JCudaDriver.cuMemcpyHtoD(memory, Pointer.to(x), 4L * x.length);
        return memory;
    }

    static float[] read(CUdeviceptr memory, int n) {
        float[] x = new float[n];
        JCudaDriver.cuMemcpyDtoH(Pointer.to(x), memory, 4L * n);
        return x;
    }

    void launch(String kernel, int grid, int block, int shared, CUstream stream, Pointer... parameters) {
        JCudaDriver.cuLaunchKernel(
                function(kernel), grid, 1, 1, block, 1, 1, shared, stream, Pointer.to(parameters), null);
    }

    /** After a fault that was planted all calls fail, these too. */
    @Override
    public void close() {
        JCudaDriver.setExceptionsEnabled(false);
        JCudaDriver.cuModuleUnload(module);
        JCudaDriver.cuCtxDestroy(context);
        JCudaDriver.setExceptionsEnabled(true);
    }
}
