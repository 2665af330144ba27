package org.calm4j.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import jcuda.driver.JCudaDriver;
import org.calm4j.engine.op.AdamW;
import org.calm4j.engine.op.Precision;
import org.calm4j.engine.tensor.Buffer;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Slab;
import org.calm4j.engine.tensor.Tensor;
import org.calm4j.kernels.driver.CudaNatives;
import org.calm4j.kernels.driver.CudaProbe;
import org.calm4j.standin.StandIn;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The rounded copies of weights that are trained are at all times what rounding the weights anew would give. */
final class RoundedWeightsTest {
    private static final int OUT = 7;
    private static final int IN = 33;
    private static final int ROWS = 5;

    private enum Change {
        ADAMW,
        WRITE,
        COMBINE,
        COPY,
        ZERO
    }

    private final Random random = new Random(4);

    @ParameterizedTest
    @EnumSource
    void productsSeeEveryChange(Change change) {
        assumeTrue(CudaProbe.run().usable(), "a CUDA driver, or its stand-in");
        CudaNatives.loadCublas();
        double[] weights = random.doubles(OUT * IN, -1, 1).toArray();
        double[] other = random.doubles(OUT * IN, -1, 1).toArray();
        double[] inputs = random.doubles(ROWS * IN, -1, 1).toArray();
        double[][] kept = products(true, change, weights, other, inputs);
        double[][] anew = products(false, change, weights, other, inputs);
        assertThat(kept[0]).isEqualTo(anew[0]);
        assertThat(kept[1]).isEqualTo(anew[1]).isNotEqualTo(kept[0]);
        assertThat(StandIn.isPresent() ? StandIn.live() : "").isEmpty();
    }

    /** Products before and after the change. */
    private static double[][] products(
            boolean trained, Change change, double[] weights, double[] other, double[] inputs) {
        try (CudaBackend b = new CudaBackend(0, Precision.BF16);
                Slab slab = slab(b, OUT);
                Slab moments = slab(b, OUT);
                Slab squares = slab(b, OUT);
                Slab gradient = slab(b, OUT);
                Slab rows = slab(b, ROWS);
                Slab out = new Slab.Plan().add("out", DType.F32, ROWS, OUT).allocate(b::allocate)) {
            Tensor w = slab.get("matrix");
            b.write(w, weights, weights.length);
            b.write(gradient.get("matrix"), other, other.length);
            b.write(rows.get("matrix"), inputs, inputs.length);
            if (trained) {
                b.markTrained(slab);
            }
            double[] before = product(b, out, rows, w);
            switch (change) {
                case ADAMW ->
                    b.adamW(
                            List.copyOf(slab.tensors()),
                            List.copyOf(moments.tensors()),
                            List.copyOf(squares.tensors()),
                            List.copyOf(gradient.tensors()),
                            AdamW.DEFAULT,
                            0.1,
                            new double[] {0, 0.1},
                            1,
                            1);
                case WRITE -> b.write(w, other, other.length);
                case COMBINE -> b.combine(w, 0.5, gradient.get("matrix"), 1);
                case COPY -> b.copy(w, gradient.get("matrix"));
                case ZERO -> b.zero(w.rows(1, 2));
            }
            return new double[][] {before, product(b, out, rows, w)};
        }
    }

    /**
     * Frozen weights are rounded once, those of 16 bits too, among others of another type; when memory is short, the copy is given up, and
     * products are the same without it.
     */
    @ParameterizedTest
    @EnumSource(names = {"F32", "F16"})
    void frozenWeightsAreRoundedOnce(DType type) {
        assumeTrue(
                CudaProbe.run().usable() && StandIn.isPresent(),
                "launches are counted by the stand-in, and its memory can be made small");
        CudaNatives.loadCublas();
        double[] weights = random.doubles(OUT * IN, -1, 1).toArray();
        double[] inputs = random.doubles(ROWS * IN, -1, 1).toArray();
        try (CudaBackend b = new CudaBackend(0, Precision.BF16);
                Slab slab = new Slab.Plan()
                        .add("vector", DType.F32, 3)
                        .add("matrix", type, OUT, IN)
                        .allocate(b::allocate);
                Slab written = slab(b, OUT);
                Slab rows = slab(b, ROWS);
                Slab out = new Slab.Plan().add("out", DType.F32, ROWS, OUT).allocate(b::allocate)) {
            b.write(written.get("matrix"), weights, weights.length);
            b.copy(slab.get("matrix"), written.get("matrix"));
            b.write(rows.get("matrix"), inputs, inputs.length);
            double[] anew = product(b, out, rows, slab.get("matrix"));
            long free = b.memory().free();
            b.markFrozen(slab.tensors());
            assertThat(free - b.memory().free())
                    .as("what the copy is going to take")
                    .isEqualTo(slab.whole(DType.F32).bytes() / type.bytes() * 2);
            List<Long> launches = new ArrayList<>();
            for (int i = 0; i < 3; i++) {
                long before = StandIn.count(StandIn.Counter.LAUNCHES);
                assertThat(product(b, out, rows, slab.get("matrix"))).isEqualTo(anew);
                launches.add(StandIn.count(StandIn.Counter.LAUNCHES) - before);
            }
            assertThat(launches).containsExactly(2L, 1L, 1L);
            StandIn.memory(64L << 20);
            try (Buffer large = b.allocate(free() + 4)) {
                assertThat(large.bytes()).isPositive();
                long before = StandIn.count(StandIn.Counter.LAUNCHES);
                assertThat(product(b, out, rows, slab.get("matrix"))).isEqualTo(anew);
                assertThat(StandIn.count(StandIn.Counter.LAUNCHES) - before).isEqualTo(2);
            } finally {
                StandIn.memory(4L << 30);
            }
        }
        assertThat(StandIn.live()).isEmpty();
    }

    private static long free() {
        long[] free = new long[1];
        JCudaDriver.cuMemGetInfo(free, new long[1]);
        return free[0];
    }

    private static Slab slab(CudaBackend b, int rows) {
        return new Slab.Plan()
                .add("vector", DType.F32, 3)
                .add("matrix", DType.F32, rows, IN)
                .allocate(b::allocate);
    }

    private static double[] product(CudaBackend b, Slab out, Slab rows, Tensor w) {
        double[] values = new double[ROWS * OUT];
        b.linearForward(out.get("out"), rows.get("matrix"), w, 1, false);
        b.read(values, out.get("out"), values.length);
        return values;
    }

    /** One launch less for each product: nothing is rounded between an update and a product but its input. */
    @Test
    void nothingIsRoundedAnew() {
        assumeTrue(StandIn.isPresent(), "launches are counted by the stand-in");
        CudaNatives.loadCublas();
        long[] launches = new long[2];
        for (int trained = 0; trained < 2; trained++) {
            double[] zeros = new double[OUT * IN];
            try (CudaBackend b = new CudaBackend(0, Precision.BF16);
                    Slab slab = slab(b, OUT);
                    Slab rows = slab(b, ROWS);
                    Slab out = new Slab.Plan().add("out", DType.F32, ROWS, OUT).allocate(b::allocate)) {
                b.write(slab.get("matrix"), zeros, zeros.length);
                if (trained == 1) {
                    b.markTrained(slab);
                }
                product(b, out, rows, slab.get("matrix"));
                long before = StandIn.count(StandIn.Counter.LAUNCHES);
                assertThat(product(b, out, rows, slab.get("matrix"))).isEqualTo(Arrays.copyOf(zeros, ROWS * OUT));
                launches[trained] = StandIn.count(StandIn.Counter.LAUNCHES) - before;
            }
        }
        assertThat(launches).containsExactly(2, 1);
    }
}
