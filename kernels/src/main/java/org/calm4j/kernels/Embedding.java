package org.calm4j.kernels;

import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;
import org.calm4j.kernels.driver.CudaBuffer;
import org.calm4j.kernels.driver.Gpu;
import org.calm4j.kernels.driver.Kernel;

/** Rows of a table by their indices: {@code embedding.cu}; and into a cache: {@code scatter.cu}. */
final class Embedding {
    private static final int BLOCK = 128;

    private final Gpu gpu;
    private final Kernel forward;
    private final Kernel links;
    private final Kernel backward;
    private final Kernel scatter;

    Embedding(Gpu gpu) {
        this.gpu = gpu;
        forward = gpu.kernel("embedding_forward");
        links = gpu.kernel("embedding_links");
        backward = gpu.kernel("embedding_backward");
        scatter = gpu.kernel("scatter");
    }

    void forward(Tensor out, Tensor table, Tensor index, boolean add) {
        long c = table.dim(1);
        forward.launch(index.size(), Rows.block(c))
                .with(out)
                .withTyped(table)
                .with(index)
                .with(c)
                .with(add)
                .with(CudaBuffer.wide(c, out, table))
                .run();
    }

    void scatter(Tensor to, Tensor from, Tensor index) {
        long c = to.dim(1);
        scatter.launch(index.size(), Rows.block(c))
                .withTyped(to)
                .with(from)
                .with(index)
                .with(c)
                .with(CudaBuffer.wide(c, to, from))
                .run();
    }

    void backward(Tensor dTable, Tensor dOut, Tensor index) {
        long rows = index.size();
        long c = dTable.dim(1);
        gpu.scratch().begin(8 * rows, 2);
        Tensor next = gpu.scratch().take(DType.I32, rows);
        Tensor first = gpu.scratch().take(DType.I32, rows);
        links.launch(Math.ceilDiv(rows, BLOCK), BLOCK)
                .with(next)
                .with(first)
                .with(index)
                .with(rows)
                .run();
        backward.launch(rows, Rows.block(c))
                .with(dTable)
                .with(dOut)
                .with(index)
                .with(next)
                .with(first)
                .with(c)
                .with(CudaBuffer.wide(c, dTable, dOut))
                .run();
    }
}
