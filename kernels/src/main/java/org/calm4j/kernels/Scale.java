package org.calm4j.kernels;

import org.calm4j.engine.tensor.Tensor;
import org.calm4j.kernels.driver.CudaBuffer;
import org.calm4j.kernels.driver.Gpu;
import org.calm4j.kernels.driver.Kernel;

/** A factor for each column: {@code scale.cu}. */
final class Scale {
    private static final long MOST_ROWS = 65_535;

    private final Kernel forward;
    private final Kernel backward;
    private final Columns columns;

    Scale(Gpu gpu, Columns columns) {
        forward = gpu.kernel("scale_forward");
        backward = gpu.kernel("scale_backward");
        this.columns = columns;
    }

    void forward(Tensor out, Tensor x, Tensor scale, boolean add) {
        long n = scale.size();
        long rows = x.size() / Math.max(n, 1);
        forward.launch(Math.ceilDiv(n, 4L * Rows.COLUMNS), Math.min(rows, MOST_ROWS), Rows.COLUMNS)
                .with(out)
                .with(x)
                .with(scale)
                .with(rows)
                .with(n)
                .with(add)
                .with(CudaBuffer.wide(n, out, x, scale))
                .run();
    }

    void backward(Tensor dScale, Tensor dOut, Tensor x) {
        long n = dScale.size();
        long rows = x.size() / Math.max(n, 1);
        Tensor partial = columns.partial(rows, n);
        columns.launch(backward, rows, n)
                .with(partial)
                .with(dOut)
                .with(x)
                .with(rows)
                .with(n)
                .with(Rows.CHUNK)
                .run();
        columns.add(dScale, partial);
    }
}
