package org.calm4j.kernels;

import org.calm4j.engine.tensor.Tensor;
import org.calm4j.kernels.driver.CudaBuffer;
import org.calm4j.kernels.driver.Gpu;
import org.calm4j.kernels.driver.Kernel;

/** The same row added to all rows: {@code bias.cu}; its gradient by {@link Columns}. */
final class Bias {
    private static final long MOST_ROWS = 65_535;

    private final Kernel kernel;
    private final Columns columns;

    Bias(Gpu gpu, Columns columns) {
        kernel = gpu.kernel("bias_forward");
        this.columns = columns;
    }

    void forward(Tensor x, Tensor bias) {
        long n = bias.size();
        long rows = x.size() / Math.max(n, 1);
        kernel.launch(Math.ceilDiv(n, 4L * Rows.COLUMNS), Math.min(rows, MOST_ROWS), Rows.COLUMNS)
                .with(x)
                .withTyped(bias)
                .with(rows)
                .with(n)
                .with(CudaBuffer.wide(n, x, bias))
                .run();
    }

    void backward(Tensor dBias, Tensor dOut) {
        columns.sum(dBias, dOut);
    }
}
