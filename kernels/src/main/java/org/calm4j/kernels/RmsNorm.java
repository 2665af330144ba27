package org.calm4j.kernels;

import org.calm4j.engine.tensor.Tensor;
import org.calm4j.kernels.driver.CudaBuffer;
import org.calm4j.kernels.driver.Gpu;
import org.calm4j.kernels.driver.Kernel;

/** Root-mean-square norm: {@code rmsnorm.cu}. */
final class RmsNorm {
    private final Columns columns;
    private final Kernel forward;
    private final Kernel backward;
    private final Kernel backwardWeight;

    RmsNorm(Gpu gpu, Columns columns) {
        this.columns = columns;
        forward = gpu.kernel("rmsnorm_forward");
        backward = gpu.kernel("rmsnorm_backward");
        backwardWeight = gpu.kernel("rmsnorm_backward_weight");
    }

    void forward(Tensor out, Tensor rstd, Tensor x, Tensor residual, Tensor w, double epsilon) {
        long c = x.dim(1);
        forward.launch(x.dim(0), Rows.block(c))
                .with(out)
                .with(rstd)
                .with(x)
                .withOptional(residual)
                .withTyped(w)
                .with(c)
                .with((float) epsilon)
                .with(CudaBuffer.wide(c, out, x, residual == null ? x : residual, w))
                .run();
    }

    void backward(Tensor dX, Tensor dW, Tensor dOut, Tensor x, Tensor w, Tensor rstd) {
        long rows = x.dim(0);
        long c = x.dim(1);
        backward.launch(rows, Rows.block(c))
                .with(dX)
                .with(dOut)
                .with(x)
                .withTyped(w)
                .with(rstd)
                .with(c)
                .with(CudaBuffer.wide(c, dX, dOut, x, w))
                .run();
        if (dW != null) {
            Tensor partial = columns.partial(rows, c);
            columns.launch(backwardWeight, rows, c)
                    .with(partial)
                    .with(dOut)
                    .with(x)
                    .with(rstd)
                    .with(rows)
                    .with(c)
                    .with(Rows.CHUNK)
                    .run();
            columns.add(dW, partial);
        }
    }
}
