package org.calm4j.kernels;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;
import org.calm4j.kernels.driver.CudaBuffer;
import org.calm4j.kernels.driver.Gpu;
import org.calm4j.kernels.driver.Kernel;

/** {@code Σ x²} in double precision: {@code gradnorm.cu}. */
final class GradNorm {
    private static final int BLOCK = 128;
    private static final long SHORTEST_STRETCH = 4096;
    private static final long MOST_BLOCKS = 4096;

    private final Gpu gpu;
    private final Kernel partial;
    private final Kernel finish;

    GradNorm(Gpu gpu) {
        this.gpu = gpu;
        partial = gpu.kernel("gradnorm_partial");
        finish = gpu.kernel("gradnorm_finish");
    }

    double sumOfSquares(Tensor x) {
        if (x.size() == 0) {
            return 0;
        }
        long stretch = Math.max(SHORTEST_STRETCH, Math.ceilDiv(x.size(), MOST_BLOCKS));
        long blocks = Math.ceilDiv(x.size(), stretch);
        gpu.scratch().begin(8 * (blocks + 1), 2);
        Tensor partials = gpu.scratch().take(DType.F64, blocks);
        Tensor total = gpu.scratch().take(DType.F64, 1);
        partial.launch(blocks, BLOCK)
                .with(partials)
                .with(x)
                .with(x.size())
                .with(stretch)
                .run();
        finish.launch(1, BLOCK).with(total).with(partials).with(blocks).run();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment result = arena.allocate(ValueLayout.JAVA_DOUBLE);
            gpu.transfer().download(result, CudaBuffer.pointer(total));
            return result.get(ValueLayout.JAVA_DOUBLE, 0);
        }
    }
}
