package org.calm4j.kernels;

import org.calm4j.engine.tensor.Tensor;
import org.calm4j.kernels.driver.CudaBuffer;
import org.calm4j.kernels.driver.Gpu;
import org.calm4j.kernels.driver.Kernel;

/** A weighted sum of two tensors, each thread four elements: {@code combination.cu}. */
final class Combination {
    private final Kernel kernel;

    Combination(Gpu gpu) {
        kernel = gpu.kernel("combination");
    }

    void apply(Tensor y, double a, Tensor x, double b) {
        Rows.fours(kernel, y.size())
                .with(y)
                .with(a)
                .with(x)
                .with(b)
                .with(y.size())
                .with(CudaBuffer.wide(4, y, x))
                .run();
    }
}
