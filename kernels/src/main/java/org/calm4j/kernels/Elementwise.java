package org.calm4j.kernels;

import org.calm4j.engine.tensor.Tensor;
import org.calm4j.kernels.driver.CudaBuffer;
import org.calm4j.kernels.driver.Gpu;
import org.calm4j.kernels.driver.Kernel;
import org.calm4j.kernels.driver.Launch;

/** What each thread does with four elements of its own: {@code swiglu.cu}, {@code gelu.cu}, {@code dropout.cu}. */
final class Elementwise {
    private static final int BLOCK = 128;

    private final Kernel swiGluForward;
    private final Kernel swiGluBackward;
    private final Kernel geluForward;
    private final Kernel geluBackward;
    private final Kernel dropout;

    Elementwise(Gpu gpu) {
        swiGluForward = gpu.kernel("swiglu_forward");
        swiGluBackward = gpu.kernel("swiglu_backward");
        geluForward = gpu.kernel("gelu_forward");
        geluBackward = gpu.kernel("gelu_backward");
        dropout = gpu.kernel("dropout");
    }

    void swiGlu(Tensor out, Tensor gate, Tensor up) {
        fours(swiGluForward, out.size())
                .with(out)
                .with(gate)
                .with(up)
                .with(out.size())
                .with(CudaBuffer.wide(4, out, gate, up))
                .run();
    }

    void swiGluBackward(Tensor dGate, Tensor dUp, Tensor dOut, Tensor gate, Tensor up) {
        fours(swiGluBackward, dOut.size())
                .with(dGate)
                .with(dUp)
                .with(dOut)
                .with(gate)
                .with(up)
                .with(dOut.size())
                .with(CudaBuffer.wide(4, dGate, dUp, dOut, gate, up))
                .run();
    }

    void gelu(Tensor out, Tensor x) {
        fours(geluForward, out.size())
                .with(out)
                .with(x)
                .with(out.size())
                .with(CudaBuffer.wide(4, out, x))
                .run();
    }

    void geluBackward(Tensor dX, Tensor dOut, Tensor x) {
        fours(geluBackward, dOut.size())
                .with(dX)
                .with(dOut)
                .with(x)
                .with(dOut.size())
                .with(CudaBuffer.wide(4, dX, dOut, x))
                .run();
    }

    void dropout(Tensor out, Tensor x, double p, long seed, boolean add) {
        // uniform ≥ p, where uniform is a whole number times 2⁻⁵³.
        long threshold = (long) Math.ceil(p * 0x1p53);
        dropout.launch(Math.ceilDiv(x.size(), BLOCK), BLOCK)
                .with(out)
                .with(x)
                .with(x.size())
                .with(seed)
                .with(threshold)
                .with((float) (1 / (1 - p)))
                .with(add)
                .run();
    }

    private static Launch fours(Kernel kernel, long size) {
        return kernel.launch(Math.ceilDiv(size, 4L * BLOCK), BLOCK);
    }
}
