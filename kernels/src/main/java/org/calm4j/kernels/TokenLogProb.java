package org.calm4j.kernels;

import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;
import org.calm4j.kernels.driver.Gpu;
import org.calm4j.kernels.driver.Kernel;
import org.calm4j.kernels.driver.Launch;

/**
 * The log-probability of one target per row, with logits that exist only for some rows and some of the vocabulary at a time:
 * {@code logprob.cu} between the products.
 */
final class TokenLogProb {
    private static final int BLOCK = 128;
    private static final long ROWS = 1024;
    /** Columns of the vocabulary at a time; with the most rows, 64 MiB. */
    static final long COLUMNS = 16_384;
    /** Rows of logits begin at a multiple of this many: the last ones of an odd vocabulary would make slow products. */
    private static final long MULTIPLE = 8;

    private final Gpu gpu;
    private final long columns;
    private final MatrixProduct product;
    private final Kernel forward;
    private final Kernel forwardMoments;
    private final Kernel statistics;
    private final Kernel finish;
    private final Kernel backward;

    /** @param columns of the vocabulary at a time */
    TokenLogProb(Gpu gpu, MatrixProduct product, long columns) {
        this.gpu = gpu;
        this.columns = columns;
        this.product = product;
        forward = gpu.kernel("logprob_forward");
        forwardMoments = gpu.kernel("logprob_forward_moments");
        statistics = gpu.kernel("logprob_statistics");
        finish = gpu.kernel("logprob_finish");
        backward = gpu.kernel("logprob_backward");
    }

    private static long stride(long width) {
        return Math.ceilDiv(width, MULTIPLE) * MULTIPLE;
    }

    /** @param statistics null to compute none */
    void forward(Tensor logProb, Tensor lse, Tensor statistics, Tensor x, Tensor w, Tensor target) {
        long vocabulary = w.dim(0);
        for (long row = 0; row < x.dim(0); row += ROWS) {
            long rows = Math.min(ROWS, x.dim(0) - row);
            Tensor some = x.rows(row, rows);
            Tensor moments = statistics == null ? null : statistics.rows(row, rows);
            long stride = stride(Math.min(columns, vocabulary));
            gpu.scratch().begin(4 * rows * (stride + 1), 2);
            Tensor scratch = gpu.scratch().take(DType.F32, rows * stride);
            Tensor sum = gpu.scratch().take(DType.F32, rows);
            for (long column = 0; column < vocabulary; column += columns) {
                long width = Math.min(columns, vocabulary - column);
                stride = stride(width);
                Tensor logits = scratch.rows(0, rows * stride).view(rows, stride);
                product.timesTransposed(logits, some, w.rows(column, width), 1, 0);
                Launch launch = (moments == null ? forward : forwardMoments)
                        .launch(rows, BLOCK)
                        .with(lse.rows(row, rows))
                        .with(sum)
                        .with(logProb.rows(row, rows));
                (moments == null ? launch : launch.with(moments))
                        .with(logits)
                        .with(target.rows(row, rows))
                        .with(column)
                        .with(width)
                        .with(stride)
                        .run();
            }
            if (moments != null) {
                this.statistics
                        .launch(Math.ceilDiv(rows, BLOCK), BLOCK)
                        .with(moments)
                        .with(logProb.rows(row, rows))
                        .with(lse.rows(row, rows))
                        .with(sum)
                        .with(rows)
                        .with(vocabulary)
                        .run();
            }
            finish.launch(Math.ceilDiv(rows, BLOCK), BLOCK)
                    .with(logProb.rows(row, rows))
                    .with(lse.rows(row, rows))
                    .with(sum)
                    .with(rows)
                    .run();
        }
    }

    /** @param dW null when the weight is frozen */
    void backward(
            Tensor dX, Tensor dW, Tensor coefficient, Tensor x, Tensor w, Tensor target, Tensor lse, boolean add) {
        long vocabulary = w.dim(0);
        for (long row = 0; row < x.dim(0); row += ROWS) {
            long rows = Math.min(ROWS, x.dim(0) - row);
            Tensor some = x.rows(row, rows);
            long stride = stride(Math.min(columns, vocabulary));
            gpu.scratch().begin(4 * rows * stride, 1);
            Tensor scratch = gpu.scratch().take(DType.F32, rows * stride);
            for (long column = 0; column < vocabulary; column += columns) {
                long width = Math.min(columns, vocabulary - column);
                stride = stride(width);
                Tensor logits = scratch.rows(0, rows * stride).view(rows, stride);
                Tensor weights = w.rows(column, width);
                product.timesTransposed(logits, some, weights, 1, 0);
                backward.launch(Math.ceilDiv(stride, BLOCK), rows, BLOCK)
                        .with(logits)
                        .with(coefficient.rows(row, rows))
                        .with(target.rows(row, rows))
                        .with(lse.rows(row, rows))
                        .with(column)
                        .with(width)
                        .with(stride)
                        .run();
                product.times(dX.rows(row, rows), logits, weights, 1, column == 0 ? 0 : 1);
                if (dW != null) {
                    product.transposedTimes(dW.rows(column, width), logits, some, 1, add || row > 0 ? 1 : 0);
                }
            }
        }
    }
}
