package org.calm4j.kernels;

import org.calm4j.engine.tensor.Tensor;
import org.calm4j.kernels.driver.Gpu;
import org.calm4j.kernels.driver.Kernel;

/** Rotary position embedding: {@code rope.cu}. */
final class Rope {
    private static final int BLOCK = 128;

    private final Kernel rope;

    Rope(Gpu gpu) {
        rope = gpu.kernel("rope");
    }

    /** @param direction 1 forward, −1 for the gradient */
    void turn(Tensor x, Tensor cosine, Tensor sine, Tensor position, int direction) {
        long half = cosine.dim(1);
        long pairs = x.dim(0) * x.dim(1) * half;
        rope.launch(Math.ceilDiv(pairs, BLOCK), BLOCK)
                .with(x)
                .with(cosine)
                .with(sine)
                .with(position)
                .with(x.dim(1))
                .with(x.dim(2))
                .with(half)
                .with(pairs)
                .with((float) direction)
                .run();
    }
}
