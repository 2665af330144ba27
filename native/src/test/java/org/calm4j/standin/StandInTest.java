package org.calm4j.standin;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import jcuda.Pointer;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.JCudaDriver;
import jcuda.jcublas.JCublas2;
import jcuda.jcublas.cublasHandle;
import jcuda.jcublas.cublasOperation;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What works on the stand-in through JCuda's own native libraries: memory, launches, products; and nothing is reported. */
class StandInTest {
    private Device device;

    @BeforeEach
    void open() {
        assumeTrue(StandIn.isPresent(), "no stand-in driver was built");
        device = new Device();
    }

    @AfterEach
    void close() {
        if (device != null) {
            device.close();
            assertThat(StandIn.report()).isEmpty();
            assertThat(StandIn.live()).isEmpty();
        }
    }

    @Test
    void aKernelRuns() {
        float[] x = {1, 2, 3, 4, 5};
        CUdeviceptr memory = Device.copy(x);
        long before = StandIn.count(StandIn.Counter.THREADS);
        device.launch(
                "planted_scale", 3, 2, 0, null, Pointer.to(memory), Pointer.to(new float[] {3}), Pointer.to(new long[] {
                    x.length
                }));
        assertThat(Device.read(memory, x.length)).containsExactly(3, 6, 9, 12, 15);
        assertThat(StandIn.count(StandIn.Counter.THREADS) - before).isEqualTo(6);
        JCudaDriver.cuMemFree(memory);
    }

    /** Whole numbers, so that BF16 holds them and sums are exact. */
    @Test
    void tensorCoreProductOutOfSharedMemory() {
        float[] a = new float[16 * 16];
        float[] b = new float[16 * 8];
        for (int i = 0; i < a.length; i++) {
            a[i] = i * 37 % 19 - 9;
        }
        for (int i = 0; i < b.length; i++) {
            b[i] = i * 29 % 23 - 11;
        }
        float[] wanted = new float[16 * 8];
        for (int row = 0; row < 16; row++) {
            for (int column = 0; column < 8; column++) {
                for (int k = 0; k < 16; k++) {
                    wanted[row * 8 + column] += a[row * 16 + k] * b[k * 8 + column];
                }
            }
        }
        CUdeviceptr left = Device.copy(a);
        CUdeviceptr right = Device.copy(b);
        CUdeviceptr out = Device.allocate(4 * 16 * 8);
        device.launch("planted_mma", 1, 32, 0, null, Pointer.to(out), Pointer.to(left), Pointer.to(right));
        assertThat(Device.read(out, 16 * 8)).containsExactly(wanted);
        JCudaDriver.cuMemFree(left);
        JCudaDriver.cuMemFree(right);
        JCudaDriver.cuMemFree(out);
    }

    @Test
    void products() {
        JCublas2.setExceptionsEnabled(true);
        cublasHandle handle = new cublasHandle();
        JCublas2.cublasCreate(handle);
        CUdeviceptr a = Device.copy(new float[] {1, 2, 3, 4, 5, 6}); // 2×3, by columns
        CUdeviceptr b = Device.copy(new float[] {1, 0, 2, 0, 1, 1}); // 3×2
        CUdeviceptr c = Device.allocate(4 * 4);
        Pointer one = Pointer.to(new float[] {1});
        Pointer zero = Pointer.to(new float[] {0});
        int n = cublasOperation.CUBLAS_OP_N;
        int t = cublasOperation.CUBLAS_OP_T;
        JCublas2.cublasSgemm(handle, n, n, 2, 2, 3, one, a, 2, b, 3, zero, c, 2);
        assertThat(Device.read(c, 4)).containsExactly(11, 14, 8, 10);
        // What c holds is added when beta says so: c += bᵀ·aᵀ.
        JCublas2.cublasSgemm(handle, t, t, 2, 2, 3, one, b, 3, a, 2, one, c, 2);
        assertThat(Device.read(c, 4)).containsExactly(22, 22, 22, 20);
        JCublas2.cublasDestroy(handle);
        JCudaDriver.cuMemFree(a);
        JCudaDriver.cuMemFree(b);
        JCudaDriver.cuMemFree(c);
    }
}
