package org.calm4j.kernels;

import org.calm4j.engine.tensor.Tensor;
import org.calm4j.kernels.driver.CudaBuffer;
import org.calm4j.kernels.driver.Gpu;
import org.calm4j.kernels.driver.Kernel;

/** {@code x·wᵀ} and its gradients by {@link MatrixProduct}, and the bias: {@code bias.cu}. */
final class Linear {
    private static final long MOST_ROWS = 65_535;

    private final MatrixProduct product;
    private final Kernel bias;
    private final Columns columns;

    Linear(Gpu gpu, MatrixProduct product, Columns columns) {
        this.product = product;
        bias = gpu.kernel("bias_forward");
        this.columns = columns;
    }

    void forward(Tensor out, Tensor x, Tensor w, double alpha, boolean add) {
        product.timesTransposed(out, x, w, alpha, add ? 1 : 0);
    }

    void backwardInput(Tensor dX, Tensor dOut, Tensor w, double alpha, boolean add) {
        product.times(dX, dOut, w, alpha, add ? 1 : 0);
    }

    void backwardWeight(Tensor dW, Tensor dOut, Tensor x, double alpha, boolean add) {
        product.transposedTimes(dW, dOut, x, alpha, add ? 1 : 0);
    }

    void bias(Tensor x, Tensor b) {
        long n = b.size();
        long rows = x.size() / Math.max(n, 1);
        bias.launch(Math.ceilDiv(n, 4L * Rows.COLUMNS), Math.min(rows, MOST_ROWS), Rows.COLUMNS)
                .with(x)
                .withTyped(b)
                .with(rows)
                .with(n)
                .with(CudaBuffer.wide(n, x, b))
                .run();
    }

    void biasBackward(Tensor dBias, Tensor dOut) {
        columns.sum(dBias, dOut);
    }
}
