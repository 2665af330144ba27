package org.calm4j.kernels;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import jcuda.CudaException;
import jcuda.Pointer;
import jcuda.cudaDataType;
import jcuda.jcublas.JCublas2;
import jcuda.jcublas.cublasComputeType;
import jcuda.jcublas.cublasGemmAlgo;
import jcuda.jcublas.cublasHandle;
import jcuda.jcublas.cublasOperation;
import jcuda.runtime.cudaStream_t;
import org.calm4j.engine.op.Precision;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;

/**
 * Products of matrices by cuBLAS, sums in F32. cuBLAS counts by columns: our (rows, columns) is its transposed (columns, rows), so that
 * {@code out = a·b} is asked for as {@code outᵀ = bᵀ·aᵀ}, without moving anything.
 */
final class MatrixProduct implements AutoCloseable {
    /** What NVIDIA recommends for Hopper; older GPUs need less. */
    private static final long WORKSPACE = 32L << 20;

    private final Gpu gpu;
    private final Precision precision;
    private final Owners owners = new Owners();
    private final cublasHandle handle = new cublasHandle();
    private final FloatBuffer factors =
            ByteBuffer.allocateDirect(8).order(ByteOrder.nativeOrder()).asFloatBuffer();
    private final Pointer alpha = Pointer.to(factors);
    private final Pointer beta = alpha.withByteOffset(Float.BYTES);
    private final Copy copy;
    private final Scratch scratch;

    MatrixProduct(Gpu gpu, Precision precision) {
        this.gpu = gpu;
        this.precision = precision;
        copy = new Copy(gpu);
        scratch = gpu.newScratch();
        // Memory of our own: what cuBLAS would take by itself it may not take while launches are recorded.
        CudaBuffer workspace = gpu.allocate(WORKSPACE, "cuBLAS");
        owners.add(workspace::close);
        try {
            JCublas2.cublasCreate(handle);
            owners.add(() -> JCublas2.cublasDestroy(handle));
            JCublas2.cublasSetStream(handle, new cudaStream_t(gpu.stream().handle()));
            JCublas2.cublasSetWorkspace(handle, workspace.pointer(), WORKSPACE);
        } catch (RuntimeException | Error e) {
            owners.closeAfter(e);
            throw e;
        }
        owners.add(scratch::close);
    }

    /** {@code out = alpha·x·wᵀ + beta·out}: out (T,N), x (T,K), w (N,K). Rows of out may be longer than N; what is behind stays. */
    void timesTransposed(Tensor out, Tensor x, Tensor w, double alpha, double beta) {
        run(out, w.dim(0), w, cublasOperation.CUBLAS_OP_T, x, cublasOperation.CUBLAS_OP_N, x.dim(1), alpha, beta);
    }

    /** {@code out = alpha·x·w + beta·out}: out (T,K), x (T,N), w (N,K). Rows of x may be longer than N; what is behind adds nothing. */
    void times(Tensor out, Tensor x, Tensor w, double alpha, double beta) {
        run(out, out.dim(1), w, cublasOperation.CUBLAS_OP_N, x, cublasOperation.CUBLAS_OP_N, w.dim(0), alpha, beta);
    }

    /** {@code out = alpha·xᵀ·y + beta·out}: out (N,K), x (T,N), y (T,K). Rows of x may be longer than N; what is behind adds nothing. */
    void transposedTimes(Tensor out, Tensor x, Tensor y, double alpha, double beta) {
        run(out, out.dim(1), y, cublasOperation.CUBLAS_OP_N, x, cublasOperation.CUBLAS_OP_T, x.dim(0), alpha, beta);
    }

    private void run(
            Tensor out,
            long columns,
            Tensor first,
            int firstOperation,
            Tensor second,
            int secondOperation,
            long inner,
            double alpha,
            double beta) {
        if (out.size() == 0) {
            return;
        }
        gpu.enter();
        DType type = precision == Precision.BF16 ? DType.BF16 : DType.F32;
        long needed;
        do {
            needed = bytes(type, first) + bytes(type, second);
            scratch.begin(needed, 2);
            // If memory is short, a rounded copy may have been given up for that.
        } while (bytes(type, first) + bytes(type, second) > needed);
        Tensor a = as(type, first);
        Tensor b = as(type, second);
        factors.put(0, (float) alpha).put(1, (float) beta);
        int data = type == DType.F32 ? cudaDataType.CUDA_R_32F : cudaDataType.CUDA_R_16BF;
        int compute = precision == Precision.TF32
                ? cublasComputeType.CUBLAS_COMPUTE_32F_FAST_TF32
                : cublasComputeType.CUBLAS_COMPUTE_32F;
        try {
            JCublas2.cublasGemmEx_new(
                    handle,
                    firstOperation,
                    secondOperation,
                    Math.toIntExact(columns),
                    Math.toIntExact(out.dim(0)),
                    Math.toIntExact(inner),
                    this.alpha,
                    Gpu.pointer(a),
                    data,
                    Math.toIntExact(a.dim(1)),
                    Gpu.pointer(b),
                    data,
                    Math.toIntExact(b.dim(1)),
                    this.beta,
                    Gpu.pointer(out),
                    cudaDataType.CUDA_R_32F,
                    Math.toIntExact(out.dim(1)),
                    compute,
                    cublasGemmAlgo.CUBLAS_GEMM_DEFAULT);
            if (gpu.debug()) {
                gpu.stream().synchronize();
            }
        } catch (CudaException e) {
            throw gpu.fault("matrix product " + out + " of " + second + " and " + first, e);
        }
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
        Tensor converted = scratch.take(type, x.dim(0), x.dim(1));
        copy.onDevice(converted, x);
        return converted;
    }

    /** The same elements out of the copy that is kept. */
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
        owners.close();
    }
}
