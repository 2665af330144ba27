package org.calm4j.kernels.driver;

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
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;

/** A cuBLAS handle, which works in the device's stream. */
public final class Cublas implements AutoCloseable {
    /** NVIDIA's recommendation for Hopper; older GPUs need less. */
    private static final long WORKSPACE = 32L << 20;

    private final Device device;
    private final Owners owners = new Owners();
    private final cublasHandle handle = new cublasHandle();
    private final FloatBuffer factors =
            ByteBuffer.allocateDirect(8).order(ByteOrder.nativeOrder()).asFloatBuffer();
    private final Pointer alpha = Pointer.to(factors);
    private final Pointer beta = alpha.withByteOffset(Float.BYTES);

    Cublas(Device device, CudaMemory memory) {
        this.device = device;
        // Our own memory: cuBLAS must not allocate its own while launches are recorded.
        CudaBuffer workspace = memory.allocate(WORKSPACE, "cuBLAS");
        owners.add(workspace::close);
        try {
            JCublas2.cublasCreate(handle);
            owners.add(() -> JCublas2.cublasDestroy(handle));
            JCublas2.cublasSetStream(handle, new cudaStream_t(device.stream().handle()));
            JCublas2.cublasSetWorkspace(handle, workspace.pointer(), WORKSPACE);
        } catch (RuntimeException | Error e) {
            owners.closeAfter(e);
            throw e;
        }
    }

    /** A matrix of a product in cuBLAS's order: by columns, so that our (rows, columns) is its transposed (columns, rows). */
    public record Operand(Tensor matrix, boolean transposed) {
        private int operation() {
            return transposed ? cublasOperation.CUBLAS_OP_T : cublasOperation.CUBLAS_OP_N;
        }
    }

    /**
     * {@code outᵀ = alpha·a·b + beta·outᵀ}, sums in F32.
     *
     * @param out F32; its rows may be longer than {@code columns}
     * @param a of the type of b, F32 or BF16
     * @param inner rows of b, columns of a
     * @param tensorFloats whether operands in F32 may be rounded to TF32
     */
    public void multiply(
            Tensor out,
            long columns,
            Operand a,
            Operand b,
            long inner,
            double alpha,
            double beta,
            boolean tensorFloats) {
        factors.put(0, (float) alpha).put(1, (float) beta);
        int data = a.matrix.type() == DType.F32 ? cudaDataType.CUDA_R_32F : cudaDataType.CUDA_R_16BF;
        int compute =
                tensorFloats ? cublasComputeType.CUBLAS_COMPUTE_32F_FAST_TF32 : cublasComputeType.CUBLAS_COMPUTE_32F;
        device.enter();
        try {
            JCublas2.cublasGemmEx_new(
                    handle,
                    a.operation(),
                    b.operation(),
                    Math.toIntExact(columns),
                    Math.toIntExact(out.dim(0)),
                    Math.toIntExact(inner),
                    this.alpha,
                    CudaBuffer.pointer(a.matrix),
                    data,
                    Math.toIntExact(a.matrix.dim(1)),
                    CudaBuffer.pointer(b.matrix),
                    data,
                    Math.toIntExact(b.matrix.dim(1)),
                    this.beta,
                    CudaBuffer.pointer(out),
                    cudaDataType.CUDA_R_32F,
                    Math.toIntExact(out.dim(1)),
                    compute,
                    cublasGemmAlgo.CUBLAS_GEMM_DEFAULT);
            if (device.debug()) {
                device.stream().synchronize();
            }
        } catch (CudaException e) {
            throw device.fault("matrix product " + out + " of " + b.matrix + " and " + a.matrix, e);
        }
    }

    @Override
    public void close() {
        owners.close();
    }
}
