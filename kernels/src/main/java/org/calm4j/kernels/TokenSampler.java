package org.calm4j.kernels;

import it.unimi.dsi.fastutil.ints.IntArrayList;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.calm4j.engine.op.Draws;
import org.calm4j.engine.op.TokenFilter;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;
import org.calm4j.kernels.driver.CudaBuffer;
import org.calm4j.kernels.driver.Gpu;
import org.calm4j.kernels.driver.Kernel;

/** Draws tokens on the device, where the logits are: {@code sample.cu}. Two numbers per token are copied to the host. */
final class TokenSampler {
    private static final int MOST_THREADS = 1024;
    /** Logits of a thread, so that blocks are no larger than the vocabulary needs. */
    private static final int LOGITS = 16;

    private final Gpu gpu;
    private final Kernel kernel;

    TokenSampler(Gpu gpu) {
        this.gpu = gpu;
        kernel = gpu.kernel("sample");
    }

    void sample(Draws draws, Tensor logits, TokenFilter filter) {
        int count = draws.count();
        if (count == 0) {
            return;
        }
        int vocabulary = Math.toIntExact(logits.dim(1));
        boolean penalty = filter.repetitionPenalty() != 1;
        IntArrayList seen = new IntArrayList();
        long[] table = table(draws, penalty, seen);
        long weights = filter.temperature() > 0 ? (long) count * vocabulary : 0;
        gpu.scratch().begin(Long.BYTES * (table.length + 2L * count + weights) + Integer.BYTES * (long) seen.size(), 4);
        Tensor rows = numbers(table.length);
        Tensor results = numbers(2L * count);
        Tensor tokens = gpu.scratch().take(DType.I32, seen.size());
        gpu.transfer().upload(CudaBuffer.pointer(rows), table);
        gpu.transfer().upload(CudaBuffer.pointer(tokens), seen.elements(), seen.size());
        int threads = Math.clamp(32 * Math.ceilDiv(vocabulary, 32L * LOGITS), 32, MOST_THREADS);
        kernel.launch(count, 1, 1, threads, penalty ? Integer.BYTES * Math.ceilDiv(vocabulary, 32) : 0)
                .with(results)
                .with(numbers(weights))
                .with(logits)
                .with(vocabulary)
                .with(rows)
                .with(tokens)
                .with(filter.temperature())
                .with(filter.topK())
                .with(filter.topP())
                .with(filter.minP())
                .with(filter.repetitionPenalty())
                .run();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment drawn = arena.allocate(2L * Long.BYTES * count, Long.BYTES);
            gpu.transfer().download(drawn, CudaBuffer.pointer(results));
            for (int i = 0; i < count; i++) {
                draws.drawn(
                        i,
                        (int) drawn.getAtIndex(ValueLayout.JAVA_LONG, 2L * i),
                        Double.longBitsToDouble(drawn.getAtIndex(ValueLayout.JAVA_LONG, 2L * i + 1)));
            }
        }
    }

    /** Rows, streams, positions, and the start of each draw's seen tokens, which are concatenated. */
    private static long[] table(Draws draws, boolean penalty, IntArrayList seen) {
        int count = draws.count();
        long[] table = new long[4 * count + 1];
        for (int i = 0; i < count; i++) {
            table[i] = draws.row(i);
            table[count + i] = draws.stream(i);
            table[2 * count + i] = draws.position(i);
            table[3 * count + i] = seen.size();
            if (penalty) {
                seen.addAll(draws.seen(i));
            }
        }
        table[4 * count] = seen.size();
        return table;
    }

    /** Numbers of eight bytes. */
    private Tensor numbers(long count) {
        return gpu.scratch().take(DType.F64, count);
    }
}
