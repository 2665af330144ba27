package org.calm4j.kernels;

import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;
import org.calm4j.kernels.driver.Gpu;
import org.calm4j.kernels.driver.Kernel;
import org.calm4j.kernels.driver.Launch;

/** Sums over rows, one per column, in an order that depends on the shape alone: {@code columns.cu}. */
final class Columns {
    private final Gpu gpu;
    private final Kernel partial;
    private final Kernel add;

    Columns(Gpu gpu) {
        this.gpu = gpu;
        partial = gpu.kernel("columns_partial");
        add = gpu.kernel("columns_add");
    }

    /** {@code out[c] += Σₜ x[t,c]}. */
    void sum(Tensor out, Tensor x) {
        Tensor sums = partial(x.dim(0), out.size());
        launch(partial, x.dim(0), out.size())
                .with(sums)
                .with(x)
                .with(x.dim(0))
                .with(out.size())
                .with(Rows.CHUNK)
                .run();
        add(out, sums);
    }

    /** Scratch for the sums of chunks of rows, (chunks, C). */
    Tensor partial(long rows, long c) {
        long chunks = Rows.chunks(rows);
        gpu.scratch().begin(chunks * c * Float.BYTES, 1);
        return gpu.scratch().take(DType.F32, chunks, c);
    }

    /** A launch of a kernel that fills {@link #partial}. */
    Launch launch(Kernel kernel, long rows, long c) {
        return kernel.launch(Math.ceilDiv(c, Rows.COLUMNS), Rows.chunks(rows), Rows.COLUMNS);
    }

    /** {@code out[c] += Σ partial[chunk,c]}. */
    void add(Tensor out, Tensor partial) {
        add.launch(Math.ceilDiv(out.size(), Rows.COLUMNS), Rows.COLUMNS)
                .with(out)
                .with(partial)
                .with(partial.dim(0))
                .with(out.size())
                .run();
    }
}
