package org.calm4j.kernels;

import org.calm4j.engine.op.Precision;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;
import org.calm4j.kernels.driver.Cublas.Operand;
import org.calm4j.kernels.driver.CudaBuffer;
import org.calm4j.kernels.driver.DeviceScratch;
import org.calm4j.kernels.driver.Gpu;

/**
 * Products of matrices by cuBLAS, operands rounded to the precision, sums in F32. cuBLAS counts by columns, so {@code out = a·b} is computed
 * as {@code outᵀ = bᵀ·aᵀ}, without moving anything.
 */
final class MatrixProduct implements AutoCloseable {
    private final Gpu gpu;
    private final Precision precision;
    private final Copy copy;
    private final DeviceScratch scratch;

    MatrixProduct(Gpu gpu, Precision precision) {
        this.gpu = gpu;
        this.precision = precision;
        copy = new Copy(gpu);
        scratch = gpu.newScratch();
    }

    /** {@code out = alpha·x·wᵀ + beta·out}: out (T,N), x (T,K), w (N,K). Rows of out may be longer than N; the rest is unchanged. */
    void timesTransposed(Tensor out, Tensor x, Tensor w, double alpha, double beta) {
        run(out, w.dim(0), new Operand(w, true), new Operand(x, false), x.dim(1), alpha, beta);
    }

    /** {@code out = alpha·x·w + beta·out}: out (T,K), x (T,N), w (N,K). Rows of x may be longer than N; the rest is ignored. */
    void times(Tensor out, Tensor x, Tensor w, double alpha, double beta) {
        run(out, out.dim(1), new Operand(w, false), new Operand(x, false), w.dim(0), alpha, beta);
    }

    /** {@code out = alpha·xᵀ·y + beta·out}: out (N,K), x (T,N), y (T,K). Rows of x may be longer than N; the rest is ignored. */
    void transposedTimes(Tensor out, Tensor x, Tensor y, double alpha, double beta) {
        run(out, out.dim(1), new Operand(y, false), new Operand(x, true), x.dim(0), alpha, beta);
    }

    private void run(Tensor out, long columns, Operand first, Operand second, long inner, double alpha, double beta) {
        if (out.size() == 0) {
            return;
        }
        DType type = precision == Precision.BF16 ? DType.BF16 : DType.F32;
        long needed;
        do {
            needed = bytes(type, first.matrix()) + bytes(type, second.matrix());
            scratch.begin(needed, 2);
            // If memory is short, a rounded copy may have been dropped for that.
        } while (bytes(type, first.matrix()) + bytes(type, second.matrix()) > needed);
        Operand a = new Operand(as(type, first.matrix()), first.transposed());
        Operand b = new Operand(as(type, second.matrix()), second.transposed());
        gpu.cublas().multiply(out, columns, a, b, inner, alpha, beta, precision == Precision.TF32);
    }

    private static boolean isKept(DType type, Tensor x) {
        return type == DType.BF16 && x.buffer() instanceof CudaBuffer buffer && buffer.keepsRounded(x.type());
    }

    /** Scratch that an operand takes. */
    private static long bytes(DType type, Tensor x) {
        return x.type() == type || isKept(type, x) ? 0 : x.size() * type.bytes();
    }

    private Tensor as(DType type, Tensor x) {
        if (x.type() == type) {
            return x;
        }
        if (isKept(type, x)) {
            return rounded(x);
        }
        Tensor taken = scratch.take(type, x.dim(0), x.dim(1));
        Tensor converted = new Tensor(x.name(), taken.buffer(), taken.offset(), type, x.shape());
        copy.onDevice(converted, x);
        return converted;
    }

    /** The same elements from the kept copy. */
    private Tensor rounded(Tensor x) {
        CudaBuffer buffer = (CudaBuffer) x.buffer();
        if (buffer.roundedIsOld()) {
            long size = buffer.bytes() / x.type().bytes();
            copy.onDevice(
                    new Tensor("rounded", buffer.rounded(), 0, DType.BF16, size),
                    new Tensor("weights", buffer, 0, x.type(), size));
            buffer.refreshed();
        }
        return new Tensor(
                x.name(), buffer.rounded(), x.offset() / x.type().bytes() * DType.BF16.bytes(), DType.BF16, x.shape());
    }

    @Override
    public void close() {
        scratch.close();
    }
}
