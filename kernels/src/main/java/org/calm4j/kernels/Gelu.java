package org.calm4j.kernels;

import org.calm4j.engine.tensor.Tensor;
import org.calm4j.kernels.driver.CudaBuffer;
import org.calm4j.kernels.driver.Gpu;
import org.calm4j.kernels.driver.Kernel;

/** GELU by its tanh approximation, each thread four elements: {@code gelu.cu}. */
final class Gelu {
    private final Kernel forward;
    private final Kernel backward;

    Gelu(Gpu gpu) {
        forward = gpu.kernel("gelu_forward");
        backward = gpu.kernel("gelu_backward");
    }

    void forward(Tensor out, Tensor x) {
        Rows.fours(forward, out.size())
                .with(out)
                .with(x)
                .with(out.size())
                .with(CudaBuffer.wide(4, out, x))
                .run();
    }

    void backward(Tensor dX, Tensor dOut, Tensor x) {
        Rows.fours(backward, dOut.size())
                .with(dX)
                .with(dOut)
                .with(x)
                .with(dOut.size())
                .with(CudaBuffer.wide(4, dX, dOut, x))
                .run();
    }
}
