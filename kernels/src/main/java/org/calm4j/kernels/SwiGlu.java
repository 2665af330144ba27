package org.calm4j.kernels;

import org.calm4j.engine.tensor.Tensor;
import org.calm4j.kernels.driver.CudaBuffer;
import org.calm4j.kernels.driver.Gpu;
import org.calm4j.kernels.driver.Kernel;

/** {@code silu(gate) · up}, each thread four elements: {@code swiglu.cu}. */
final class SwiGlu {
    private final Kernel forward;
    private final Kernel backward;

    SwiGlu(Gpu gpu) {
        forward = gpu.kernel("swiglu_forward");
        backward = gpu.kernel("swiglu_backward");
    }

    void forward(Tensor out, Tensor gate, Tensor up) {
        Rows.fours(forward, out.size())
                .with(out)
                .with(gate)
                .with(up)
                .with(out.size())
                .with(CudaBuffer.wide(4, out, gate, up))
                .run();
    }

    void backward(Tensor dGate, Tensor dUp, Tensor dOut, Tensor gate, Tensor up) {
        Rows.fours(backward, dOut.size())
                .with(dGate)
                .with(dUp)
                .with(dOut)
                .with(gate)
                .with(up)
                .with(dOut.size())
                .with(CudaBuffer.wide(4, dGate, dUp, dOut, gate, up))
                .run();
    }
}
