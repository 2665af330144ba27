package org.calm4j.kernels;

import org.calm4j.engine.op.DynamicCode;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;
import org.calm4j.kernels.driver.CudaBuffer;
import org.calm4j.kernels.driver.Gpu;
import org.calm4j.kernels.driver.Kernel;

/** Numbers in fewer bits: codes by blocks, and BF16 rounded at random: {@code quantization.cu}. */
final class Quantization implements AutoCloseable {
    private static final int VALUES = 256;
    private static final int THREADS = 128;

    private final Gpu gpu;
    private final Kernel quantize;
    private final Kernel dequantize;
    private final Kernel round;
    /** The values of signed codes, then those of others; null before they are needed. */
    private CudaBuffer values;

    Quantization(Gpu gpu) {
        this.gpu = gpu;
        quantize = gpu.kernel("quantize");
        dequantize = gpu.kernel("dequantize");
        round = gpu.kernel("round_randomly");
    }

    void quantize(Tensor codes, Tensor scales, Tensor x, boolean signed) {
        quantize.launch(scales.size(), DynamicCode.BLOCK)
                .with(codes)
                .with(scales)
                .with(x)
                .with(values(signed))
                .with(x.size())
                .run();
    }

    void dequantize(Tensor x, Tensor codes, Tensor scales, boolean signed) {
        dequantize
                .launch(Math.ceilDiv(x.size(), THREADS), THREADS)
                .with(x)
                .with(codes)
                .with(scales)
                .with(values(signed))
                .with(x.size())
                .run();
    }

    void roundRandomly(Tensor to, Tensor from, long seed, long first) {
        round.launch(Math.ceilDiv(from.size(), THREADS), THREADS)
                .with(to)
                .with(from)
                .with(from.size())
                .with(seed)
                .with(first)
                .run();
    }

    private Tensor values(boolean signed) {
        if (values == null) {
            values = gpu.memory().allocate(2L * VALUES * Float.BYTES, "codes");
            double[] all = new double[2 * VALUES];
            for (int i = 0; i < all.length; i++) {
                all[i] = DynamicCode.of(i < VALUES).value(i % VALUES);
            }
            gpu.transfer().upload(values.pointer(), all, all.length);
        }
        return new Tensor("codes", values, signed ? 0 : (long) VALUES * Float.BYTES, DType.F32, VALUES);
    }

    @Override
    public void close() {
        if (values != null) {
            values.close();
            values = null;
        }
    }
}
