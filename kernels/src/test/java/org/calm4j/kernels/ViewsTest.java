package org.calm4j.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.calm4j.engine.op.AdamW;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.Precision;
import org.calm4j.engine.op.Segments;
import org.calm4j.engine.op.scalar.ScalarBackend;
import org.calm4j.engine.tensor.Buffer;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;
import org.calm4j.kernels.driver.CudaNatives;
import org.calm4j.kernels.driver.CudaProbe;
import org.calm4j.standin.StandIn;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Views that begin one element behind an address that 16-byte accesses need, while their rows are a multiple of four long: all tensors of an
 * operation, and each of them alone.
 */
final class ViewsTest {
    private static final int T = 5;
    private static final int C = 8;
    private static final int[] INDEX = {2, 0, 2, 1, 2};

    /** @param shapes an integer's tensor has the type I32 and takes {@link #INDEX} */
    private record Operation(String name, Run run, DType[] types, long[]... shapes) {
        interface Run {
            void run(Backend backend, Tensor[] tensors);
        }

        @Override
        public String toString() {
            return name;
        }
    }

    static Stream<Operation> operations() {
        DType f = DType.F32;
        DType h = DType.BF16;
        DType i = DType.I32;
        long[] row = {C};
        long[] rows = {T};
        long[] matrix = {T, C};
        long[] heads = {T, 2, C};
        long[] lse = {T, 2};
        Segments segments = new Segments();
        segments.add(0, T, 0, T, Segments.NONE);
        return Stream.of(
                of(
                        "embedding",
                        (b, t) -> b.embeddingForward(t[0], t[1], t[2], true),
                        types(f, h, i),
                        matrix,
                        matrix,
                        rows),
                of(
                        "embedding of F32",
                        (b, t) -> b.embeddingForward(t[0], t[1], t[2], false),
                        types(f, f, i),
                        matrix,
                        matrix,
                        rows),
                of(
                        "embedding backward",
                        (b, t) -> b.embeddingBackward(t[0], t[1], t[2]),
                        types(f, f, i),
                        matrix,
                        matrix,
                        rows),
                of("bias", (b, t) -> b.biasForward(t[0], t[1]), types(f, DType.F16), matrix, row),
                of("scale", (b, t) -> b.scaleForward(t[0], t[1], t[2], true), types(f, f, f), matrix, matrix, row),
                of("scale backward", (b, t) -> b.scaleBackward(t[0], t[1], t[2]), types(f, f, f), row, matrix, matrix),
                of(
                        "RMS norm",
                        (b, t) -> b.rmsNormForward(t[0], t[1], t[2], t[3], t[4], 1e-5),
                        types(f, f, f, f, h),
                        matrix,
                        rows,
                        matrix,
                        matrix,
                        row),
                of(
                        "RMS norm backward",
                        (b, t) -> b.rmsNormBackward(t[0], t[1], t[2], t[3], t[4], t[5]),
                        types(f, f, f, f, h, f),
                        matrix,
                        row,
                        matrix,
                        matrix,
                        row,
                        rows),
                of(
                        "layer norm",
                        (b, t) -> b.layerNormForward(t[0], t[1], t[2], t[3], t[4], t[5], t[6], 1e-5),
                        types(f, f, f, f, f, h, f),
                        matrix,
                        rows,
                        rows,
                        matrix,
                        matrix,
                        row,
                        row),
                of(
                        "layer norm backward",
                        (b, t) -> b.layerNormBackward(t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7]),
                        types(f, f, f, f, f, h, f, f),
                        matrix,
                        row,
                        row,
                        matrix,
                        matrix,
                        row,
                        rows,
                        rows),
                of("SwiGLU", (b, t) -> b.swiGluForward(t[0], t[1], t[2]), types(f, f, f), matrix, matrix, matrix),
                of(
                        "SwiGLU backward",
                        (b, t) -> b.swiGluBackward(t[0], t[1], t[2], t[3], t[4]),
                        types(f, f, f, f, f),
                        matrix,
                        matrix,
                        matrix,
                        matrix,
                        matrix),
                of("GELU", (b, t) -> b.geluForward(t[0], t[1]), types(f, f), matrix, matrix),
                of("GELU backward", (b, t) -> b.geluBackward(t[0], t[1], t[2]), types(f, f, f), matrix, matrix, matrix),
                of("widening copy", (b, t) -> b.copy(t[0], t[1]), types(f, h), matrix, matrix),
                of("rounding copy", (b, t) -> b.copy(t[0], t[1]), types(h, f), matrix, matrix),
                of(
                        "AdamW",
                        (b, t) -> b.adamW(t[0], t[1], t[2], t[3], AdamW.DEFAULT, 1e-2, 0.1, 1, 1),
                        types(f, f, f, f),
                        matrix,
                        matrix,
                        matrix,
                        matrix),
                of("combination", (b, t) -> b.combine(t[0], 0.5, t[1], 2), types(f, f), matrix, matrix),
                of("addition", (b, t) -> b.add(t[0], t[1]), types(f, f), matrix, matrix),
                of("dropout", (b, t) -> b.dropout(t[0], t[1], 0.3, 7, false), types(f, f), matrix, matrix),
                of(
                        "product",
                        (b, t) -> b.linearForward(t[0], t[1], t[2], 1, false),
                        types(f, f, h),
                        new long[] {T, T},
                        matrix,
                        matrix),
                of(
                        "attention",
                        (b, t) -> b.attentionForward(t[0], t[1], t[2], t[3], t[4], segments, 0.5, 0),
                        types(f, f, f, f, f),
                        heads,
                        lse,
                        heads,
                        matrix(1),
                        matrix(1)),
                of(
                        "attention backward",
                        (b, t) -> b.attentionBackward(
                                t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7], t[8], segments, 0.5, 0),
                        types(f, f, f, f, f, f, f, f, f),
                        heads,
                        matrix(1),
                        matrix(1),
                        heads,
                        heads,
                        lse,
                        heads,
                        matrix(1),
                        matrix(1)));
    }

    private static long[] matrix(int groups) {
        return new long[] {T, groups, C};
    }

    private static DType[] types(DType... types) {
        return types;
    }

    private static Operation of(String name, Operation.Run run, DType[] types, long[]... shapes) {
        return new Operation(name, run, types, shapes);
    }

    @ParameterizedTest
    @MethodSource("operations")
    void inF32(Operation operation) {
        check(operation, Precision.F32, 1e-5);
    }

    /** Operands are rounded on their way into products and attention. */
    @ParameterizedTest
    @MethodSource("operations")
    void inBf16(Operation operation) {
        check(operation, Precision.BF16, 0.05);
    }

    private static void check(Operation operation, Precision precision, double tolerance) {
        assumeTrue(CudaProbe.run().usable(), "a CUDA driver, or its stand-in");
        CudaNatives.loadCublas();
        double[][] right;
        try (Backend scalar = new ScalarBackend()) {
            right = run(operation, scalar, -1);
        }
        try (Backend cuda = new CudaBackend(0, precision, TokenLogProb.COLUMNS, true)) {
            // The last round shifts all.
            for (int shifted = 0; shifted <= operation.shapes.length; shifted++) {
                double[][] given = run(operation, cuda, shifted);
                for (int i = 0; i < right.length; i++) {
                    assertThat(given[i])
                            .as("tensor %d where %d is shifted", i, shifted)
                            .containsExactly(right[i], within(tolerance));
                }
            }
        }
        assertThat(StandIn.isPresent() ? StandIn.report() : "").isEmpty();
    }

    /** All tensors afterwards. Moments and squares must not be negative, so all numbers are positive. */
    private static double[][] run(Operation operation, Backend backend, int shifted) {
        Random random = new Random(9);
        List<Buffer> buffers = new ArrayList<>();
        Tensor[] tensors = new Tensor[operation.shapes.length];
        for (int i = 0; i < tensors.length; i++) {
            DType type = operation.types[i];
            int size = Math.toIntExact(Tensor.product(operation.shapes[i]));
            double[] values = random.doubles(size, 0.1, 1).toArray();
            Tensor wide = tensor(backend, buffers, type == DType.I32 ? type : DType.F32, 0, operation.shapes[i]);
            if (type == DType.I32) {
                backend.write(wide, INDEX, size);
                tensors[i] = wide;
                continue;
            }
            backend.write(wide, values, size);
            tensors[i] = tensor(
                    backend,
                    buffers,
                    type,
                    shifted == i || shifted == tensors.length ? type.bytes() : 0,
                    operation.shapes[i]);
            backend.copy(tensors[i], wide);
        }
        operation.run.run(backend, tensors);
        double[][] after = new double[tensors.length][];
        for (int i = 0; i < tensors.length; i++) {
            after[i] = new double[Math.toIntExact(tensors[i].size())];
            backend.read(after[i], tensors[i], after[i].length);
        }
        buffers.forEach(Buffer::close);
        return after;
    }

    private static Tensor tensor(Backend backend, List<Buffer> buffers, DType type, int offset, long... shape) {
        Buffer buffer = backend.allocate(offset + type.bytes() * Tensor.product(shape));
        buffers.add(buffer);
        return new Tensor("t", buffer, offset, type, shape);
    }
}
