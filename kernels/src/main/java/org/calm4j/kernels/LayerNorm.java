package org.calm4j.kernels;

import org.calm4j.engine.tensor.Tensor;
import org.calm4j.kernels.driver.CudaBuffer;
import org.calm4j.kernels.driver.Gpu;
import org.calm4j.kernels.driver.Kernel;

/** Layer norm: {@code layernorm.cu}. */
final class LayerNorm {
    private final Columns columns;
    private final Kernel forward;
    private final Kernel backward;
    private final Kernel backwardWeight;

    LayerNorm(Gpu gpu, Columns columns) {
        this.columns = columns;
        forward = gpu.kernel("layernorm_forward");
        backward = gpu.kernel("layernorm_backward");
        backwardWeight = gpu.kernel("layernorm_backward_weight");
    }

    void forward(
            Tensor out, Tensor mean, Tensor rstd, Tensor x, Tensor residual, Tensor w, Tensor bias, double epsilon) {
        long c = x.dim(1);
        forward.launch(x.dim(0), Rows.block(c))
                .with(out)
                .with(mean)
                .with(rstd)
                .with(x)
                .withOptional(residual)
                .withTyped(w)
                .withTyped(bias)
                .with(c)
                .with((float) epsilon)
                .with(CudaBuffer.wide(c, out, x, residual == null ? x : residual, w, bias))
                .run();
    }

    void backward(Tensor dX, Tensor dW, Tensor dBias, Tensor dOut, Tensor x, Tensor w, Tensor mean, Tensor rstd) {
        long rows = x.dim(0);
        long c = x.dim(1);
        backward.launch(rows, Rows.block(c))
                .with(dX)
                .with(dOut)
                .with(x)
                .withTyped(w)
                .with(mean)
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
                    .with(mean)
                    .with(rstd)
                    .with(rows)
                    .with(c)
                    .with(Rows.CHUNK)
                    .run();
            columns.add(dW, partial);
            columns.sum(dBias, dOut);
        }
    }
}
