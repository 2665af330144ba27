package org.calm4j.kernels;

import org.calm4j.engine.tensor.Tensor;
import org.calm4j.kernels.driver.Gpu;
import org.calm4j.kernels.driver.Kernel;

/** Elements set to zero by their index and a seed, each thread one: {@code dropout.cu}. */
final class Dropout {
    private static final int BLOCK = 128;

    private final Kernel kernel;

    Dropout(Gpu gpu) {
        kernel = gpu.kernel("dropout");
    }

    void apply(Tensor out, Tensor x, double p, long seed, boolean add) {
        // uniform ≥ p, where uniform is a whole number times 2⁻⁵³.
        long threshold = (long) Math.ceil(p * 0x1p53);
        kernel.launch(Math.ceilDiv(x.size(), BLOCK), BLOCK)
                .with(out)
                .with(x)
                .with(x.size())
                .with(seed)
                .with(threshold)
                .with((float) (1 / (1 - p)))
                .with(add)
                .run();
    }
}
