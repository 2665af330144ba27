package org.calm4j.standin;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import jcuda.Pointer;
import jcuda.Sizeof;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUfunction;
import jcuda.driver.CUmodule;
import jcuda.driver.JCudaDriver;
import jcuda.jcublas.JCublas2;
import jcuda.jcublas.cublasHandle;
import jcuda.jcublas.cublasOperation;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What works on the stand-in through JCuda's own native libraries: memory, launches, products. */
class StandInTest {
    private final CUcontext context = new CUcontext();

    @BeforeEach
    void open() {
        assumeTrue(StandIn.isPresent(), "no stand-in driver was built");
        JCudaDriver.setExceptionsEnabled(true);
        JCublas2.setExceptionsEnabled(true);
        JCudaDriver.cuInit(0);
        JCudaDriver.cuCtxCreate(context, 0, new CUdevice());
    }

    @AfterEach
    void close() {
        if (StandIn.isPresent()) {
            JCudaDriver.cuCtxDestroy(context);
            StandIn.resetAll();
        }
    }

    @Test
    void aKernelRuns() {
        CUmodule module = new CUmodule();
        JCudaDriver.cuModuleLoadData(module, "SIMT\0".getBytes(StandardCharsets.US_ASCII));
        CUfunction scale = new CUfunction();
        JCudaDriver.cuModuleGetFunction(scale, module, "planted_scale");
        float[] x = {1, 2, 3, 4, 5};
        CUdeviceptr memory = new CUdeviceptr();
        JCudaDriver.cuMemAlloc(memory, 4L * x.length);
        JCudaDriver.cuMemcpyHtoD(memory, Pointer.to(x), 4L * x.length);
        Pointer parameters = Pointer.to(Pointer.to(memory), Pointer.to(new float[] {3}), Pointer.to(new long[] {x.length}));
        JCudaDriver.cuLaunchKernel(scale, 3, 1, 1, 2, 1, 1, 0, null, parameters, null);
        JCudaDriver.cuMemcpyDtoH(Pointer.to(x), memory, 4L * x.length);
        assertThat(x).containsExactly(3, 6, 9, 12, 15);
        JCudaDriver.cuMemFree(memory);
        JCudaDriver.cuModuleUnload(module);
        assertThat(StandIn.live()).isEmpty();
        assertThat(StandIn.report()).isEmpty();
    }

    @Test
    void productsRun() {
        cublasHandle handle = new cublasHandle();
        JCublas2.cublasCreate(handle);
        float[] a = {1, 2, 3, 4, 5, 6};             // 2×3, by columns
        float[] b = {1, 0, 2, 0, 1, 1};             // 3×2
        CUdeviceptr x = device(a);
        CUdeviceptr y = device(b);
        CUdeviceptr z = new CUdeviceptr();
        JCudaDriver.cuMemAlloc(z, 16);
        ByteBuffer one = ByteBuffer.allocateDirect(8).order(ByteOrder.nativeOrder()).putFloat(0, 1);
        Pointer beta = Pointer.to(one).withByteOffset(4);
        JCublas2.cublasSgemm(handle, cublasOperation.CUBLAS_OP_N, cublasOperation.CUBLAS_OP_N, 2, 2, 3, Pointer.to(one), x, 2, y, 3, beta, z, 2);
        float[] c = new float[4];
        JCudaDriver.cuMemcpyDtoH(Pointer.to(c), z, 4L * Sizeof.FLOAT);
        assertThat(c).containsExactly(11, 14, 8, 10);
        JCublas2.cublasDestroy(handle);
    }

    private static CUdeviceptr device(float[] x) {
        CUdeviceptr memory = new CUdeviceptr();
        JCudaDriver.cuMemAlloc(memory, 4L * x.length);
        JCudaDriver.cuMemcpyHtoD(memory, Pointer.to(x), 4L * x.length);
        return memory;
    }
}
