package org.calm4j.kernels;

import java.util.Arrays;
import java.util.List;
import org.calm4j.engine.op.AdamW;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;
import org.calm4j.kernels.driver.CudaBuffer;
import org.calm4j.kernels.driver.Gpu;
import org.calm4j.kernels.driver.Kernel;

/** AdamW over all tensors of a model in one launch: {@code adamw.cu}. The table of tensors is sent again only when it has changed. */
final class AdamWStep implements AutoCloseable {
    private static final int BLOCK = 128;
    /** Elements of a block. */
    private static final long PIECE = 1 << 13;
    /** Numbers of a tensor in the table. */
    private static final int NUMBERS = 8;

    private final Gpu gpu;
    private final Kernel kernel;
    private long[] sent = {};
    private CudaBuffer buffer;

    AdamWStep(Gpu gpu) {
        this.gpu = gpu;
        kernel = gpu.kernel("adamw");
    }

    void apply(
            List<Tensor> w,
            List<Tensor> m,
            List<Tensor> v,
            List<Tensor> grad,
            AdamW settings,
            double learningRate,
            double[] weightDecay,
            double gradScale,
            long step) {
        long pieces = w.stream()
                .mapToLong(tensor -> Math.ceilDiv(tensor.size(), PIECE))
                .sum();
        if (pieces == 0) {
            return;
        }
        long[] table = new long[Math.toIntExact((long) NUMBERS * w.size() + pieces)];
        int next = NUMBERS * w.size();
        for (int i = 0; i < w.size(); i++) {
            row(table, NUMBERS * i, w.get(i), m.get(i), v.get(i), grad.get(i), weightDecay[i]);
            for (long piece = 0; piece < Math.ceilDiv(w.get(i).size(), PIECE); piece++) {
                table[next++] = (long) i << 32 | piece;
            }
        }
        send(table);
        double correction1 = 1 - Math.pow(settings.beta1(), step);
        double correction2 = 1 - Math.pow(settings.beta2(), step);
        kernel.launch(pieces, BLOCK)
                .with(from(0))
                .with(from(NUMBERS * w.size()))
                .with(PIECE)
                .with(learningRate)
                .with((float) gradScale)
                .with((float) settings.beta1())
                .with((float) (1 - settings.beta1()))
                .with((float) settings.beta2())
                .with((float) (1 - settings.beta2()))
                .with((float) (learningRate / correction1))
                .with((float) (1 / correction2))
                .with((float) settings.epsilon())
                .run();
    }

    private static void row(long[] table, int at, Tensor w, Tensor m, Tensor v, Tensor grad, double decay) {
        CudaBuffer rounded = ((CudaBuffer) w.buffer()).rounded();
        table[at] = CudaBuffer.address(w);
        table[at + 1] = CudaBuffer.address(m);
        table[at + 2] = CudaBuffer.address(v);
        table[at + 3] = CudaBuffer.address(grad);
        table[at + 4] = rounded == null ? 0 : rounded.pointer().address() + w.offset() / 2;
        table[at + 5] = w.size();
        table[at + 6] = Double.doubleToRawLongBits(decay);
        table[at + 7] = CudaBuffer.wide(4, w, m, v, grad) && table[at + 4] % 8 == 0 ? 1 : 0;
    }

    private void send(long[] table) {
        if (Arrays.equals(table, sent)) {
            return;
        }
        long bytes = (long) Long.BYTES * table.length;
        if (buffer == null || buffer.bytes() < bytes) {
            close();
            buffer = gpu.memory().allocate(bytes, "the optimizer's table");
        }
        gpu.transfer().upload(buffer.pointer(), table);
        sent = table;
    }

    private Tensor from(int first) {
        return new Tensor("optimizer", buffer, (long) Long.BYTES * first, DType.I32, 0);
    }

    @Override
    public void close() {
        if (buffer != null) {
            buffer.close();
            buffer = null;
            sent = new long[0];
        }
    }
}
