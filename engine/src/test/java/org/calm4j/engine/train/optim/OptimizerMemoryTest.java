package org.calm4j.engine.train.optim;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import org.calm4j.engine.op.AdamW;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.simd.SimdBackend;
import org.calm4j.engine.random.CounterRandom;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Slab;
import org.calm4j.engine.tensor.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** AdamW with moments of fewer bits beside AdamW with F32. */
final class OptimizerMemoryTest {
    private static final int SMALL = 100;
    private static final int LARGE = 5003;

    private final Backend backend = new SimdBackend(1);

    private Slab weights() {
        Slab slab = new Slab.Plan()
                .add("small", DType.F32, SMALL)
                .add("large", DType.F32, 1, LARGE)
                .allocate(backend::allocate);
        fill(slab, "weights", 0);
        return slab;
    }

    private void fill(Slab slab, String purpose, int step) {
        for (Tensor tensor : slab.tensors()) {
            long seed = CounterRandom.seed(CounterRandom.seed(CounterRandom.seed(3, purpose), tensor.name()), step);
            double[] values = new double[(int) tensor.size()];
            // Of sizes that differ by element, as gradients do.
            Arrays.setAll(values, i -> CounterRandom.normal(seed, i) * Math.pow(10, -(i % 4)));
            backend.write(tensor, values, values.length);
        }
    }

    private PackedAdamW optimizer(OptimizerMemory memory, Slab weights) {
        UpdateSettings update = new UpdateSettings(0, ParameterGroups.NONE, 0, memory);
        return new PackedAdamW(backend, new Optimizer.Settings(update, AdamW.DEFAULT, 3), weights);
    }

    private void steps(PackedAdamW optimizer, Slab weights, int first, int end) {
        try (Slab gradient = weights()) {
            for (int step = first; step < end; step++) {
                fill(gradient, "gradient", step);
                optimizer.update(
                        List.copyOf(weights.tensors()),
                        List.copyOf(gradient.tensors()),
                        1e-2,
                        new double[] {0, 0},
                        1,
                        step + 1);
            }
        }
    }

    private static double[] values(Slab slab, String name) {
        Tensor tensor = slab.get(name);
        double[] values = new double[(int) tensor.size()];
        Arrays.setAll(values, tensor::get);
        return values;
    }

    /** The largest distance is a share of a step's 0.01; the mean is much smaller. Small weights are the same to the bit. */
    @ParameterizedTest
    @CsvSource({"BF16, 0.004, 0.0005", "EIGHT_BIT, 0.06, 0.006"})
    void stepsAreNearlyThoseOfF32(OptimizerMemory memory, double most, double mean) {
        try (Slab packed = weights();
                Slab plain = weights();
                PackedAdamW one = optimizer(memory, packed);
                PackedAdamW other = optimizer(OptimizerMemory.F32, plain)) {
            steps(one, packed, 0, 8);
            steps(other, plain, 0, 8);
            assertThat(values(packed, "small")).isEqualTo(values(plain, "small"));
            double[] a = values(packed, "large");
            double[] b = values(plain, "large");
            double largest = 0;
            double sum = 0;
            for (int i = 0; i < a.length; i++) {
                largest = Math.max(largest, Math.abs(a[i] - b[i]));
                sum += Math.abs(a[i] - b[i]);
            }
            assertThat(largest).isBetween(1e-7, most);
            assertThat(sum / a.length).isLessThan(mean);
            assertThat(one.bytes()).isLessThan(other.bytes() + 2L * 4 * LARGE);
        }
    }

    /** What is kept between steps is all that the steps after it need. */
    @ParameterizedTest
    @EnumSource
    void goesOnFromItsState(OptimizerMemory memory) {
        try (Slab whole = weights();
                Slab parts = weights();
                PackedAdamW one = optimizer(memory, whole);
                PackedAdamW before = optimizer(memory, parts);
                PackedAdamW after = optimizer(memory, parts)) {
            steps(one, whole, 0, 6);
            steps(before, parts, 0, 3);
            before.slabs().forEach((prefix, slab) -> {
                for (Tensor tensor : after.slabs().get(prefix).tensors()) {
                    backend.copy(tensor, slab.get(tensor.name()));
                }
            });
            steps(after, parts, 3, 6);
            assertThat(bytes(parts)).isEqualTo(bytes(whole));
            after.slabs().forEach((prefix, slab) -> assertThat(bytes(slab))
                    .isEqualTo(bytes(one.slabs().get(prefix))));
        }
    }

    private static byte[] bytes(Slab slab) {
        return slab.whole(DType.F32).segment().toArray(ValueLayout.JAVA_BYTE);
    }

    /** With rounding to nearest, a second moment near its mean would not move. */
    @Test
    void aSecondMomentInBf16Moves() {
        try (Slab weights = weights();
                PackedAdamW optimizer = optimizer(OptimizerMemory.BF16, weights)) {
            steps(optimizer, weights, 0, 60);
            double mean = 0;
            Tensor second = optimizer.slabs().get("exp_avg_sq.").get("large");
            for (int i = 0; i < LARGE; i += 4) {
                mean += second.get(i) / Math.ceilDiv(LARGE, 4);
            }
            // 1 − 0.999⁶⁰ of the square's mean, which is 1.
            assertThat(mean).isBetween(0.0583 * 0.95, 0.0583 * 1.05);
        }
    }
}
