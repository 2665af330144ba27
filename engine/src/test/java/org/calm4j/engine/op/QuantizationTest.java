package org.calm4j.engine.op;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.lang.foreign.ValueLayout;
import java.util.Random;
import org.calm4j.engine.op.scalar.ScalarBackend;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.HostBuffer;
import org.calm4j.engine.tensor.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class QuantizationTest {
    private final Backend backend = new ScalarBackend();

    private static Tensor tensor(DType type, long size) {
        return new Tensor("test", new HostBuffer(size * type.bytes()), 0, type, size);
    }

    /** Some of the values by hand: {@code 10^(decade − 6) · (0.1 + 0.9 · (part + ½) / parts)}. */
    @Test
    void valuesAreDecadesDividedEvenly() {
        DynamicCode signed = DynamicCode.of(true);
        assertThat(signed.value(0)).isCloseTo(-0.99296875f, within(1e-7f));
        assertThat(signed.value(126)).isCloseTo(-5.5e-7f, within(1e-13f));
        assertThat(signed.value(127)).isZero();
        assertThat(signed.value(128)).isCloseTo(5.5e-7f, within(1e-13f));
        assertThat(signed.value(129)).isCloseTo(3.25e-6f, within(1e-12f));
        assertThat(signed.value(254)).isCloseTo(0.99296875f, within(1e-7f));
        assertThat(signed.value(255)).isEqualTo(1);
        DynamicCode unsigned = DynamicCode.of(false);
        assertThat(unsigned.value(0)).isZero();
        assertThat(unsigned.value(1)).isCloseTo(3.25e-7f, within(1e-13f));
        assertThat(unsigned.value(2)).isCloseTo(7.75e-7f, within(1e-13f));
        assertThat(unsigned.value(254)).isCloseTo(0.996484375f, within(1e-7f));
        assertThat(unsigned.value(255)).isEqualTo(1);
        for (int i = 1; i < 256; i++) {
            assertThat(signed.value(i)).isGreaterThan(signed.value(i - 1));
            assertThat(unsigned.value(i)).isGreaterThan(unsigned.value(i - 1));
        }
    }

    /** The nearest by comparison with all, and what is left of a block is within half the distance of two values. */
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void codesAreTheNearest(boolean signed) {
        Random random = new Random(5);
        DynamicCode code = DynamicCode.of(signed);
        int n = 600;
        Tensor x = tensor(DType.F32, n);
        for (int i = 0; i < n; i++) {
            double size = Math.pow(10, -6 * random.nextDouble());
            x.set(i, 3 * size * (signed && random.nextBoolean() ? -1 : 1));
        }
        Tensor codes = tensor(DType.I32, 150);
        Tensor scales = tensor(DType.F32, 3);
        Tensor back = tensor(DType.F32, n);
        backend.quantize(codes, scales, x, signed);
        backend.dequantize(back, codes, scales, signed);
        for (int i = 0; i < n; i++) {
            float scale = (float) scales.get(i / 256);
            float value = (float) x.get(i) / scale;
            float least = Float.MAX_VALUE;
            // Without signs nothing becomes zero.
            for (int c = signed ? 0 : 1; c < 256; c++) {
                least = Math.min(least, Math.abs(code.value(c) - value));
            }
            int stored = codes.segment().get(ValueLayout.JAVA_BYTE, i) & 0xff;
            assertThat(Math.abs(code.value(stored) - value)).isEqualTo(least);
            assertThat(back.get(i)).isEqualTo((double) (code.value(stored) * scale));
        }
        Tensor zero = tensor(DType.F32, 5);
        backend.quantize(tensor(DType.I32, 2), scales.rows(0, 1), zero, signed);
        backend.dequantize(zero, tensor(DType.I32, 2), scales.rows(0, 1), signed);
        assertThat(zero.get(3)).isZero();
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void ofTwoAsNearTheLowerOne(boolean signed) {
        DynamicCode code = DynamicCode.of(signed);
        int ties = 0;
        // Among values without signs nothing becomes the zero at 0.
        for (int lower = signed ? 0 : 1; lower < 255; lower++) {
            float middle = (float) ((code.value(lower) + (double) code.value(lower + 1)) / 2);
            if (middle - code.value(lower) == code.value(lower + 1) - middle) {
                ties++;
                assertThat(code.nearest(middle)).isEqualTo(lower);
            }
        }
        assertThat(ties).isPositive();
    }

    /** Up or down, as often as keeps the mean; numbers that BF16 has stay. */
    @Test
    void roundingAtRandomKeepsTheMean() {
        int n = 20_000;
        Tensor x = tensor(DType.F32, n);
        for (int i = 0; i < n; i++) {
            x.set(i, 1 + 0x1p-7 * 0.3);
        }
        Tensor to = tensor(DType.BF16, n);
        backend.roundRandomly(to, x, 3, 0);
        double sum = 0;
        for (int i = 0; i < n; i++) {
            assertThat(to.get(i)).isIn(1.0, 1 + 0x1p-7);
            sum += to.get(i);
        }
        // Five standard deviations.
        assertThat(sum / n).isCloseTo(1 + 0x1p-7 * 0.3, within(5 * 0x1p-7 * Math.sqrt(0.21 / n)));
        Tensor part = tensor(DType.BF16, n - 700);
        backend.roundRandomly(part, x.rows(700, n - 700), 3, 700);
        for (int i = 0; i < part.size(); i++) {
            assertThat(part.get(i)).isEqualTo(to.get(700 + i));
        }
        x.set(0, -0.375);
        backend.roundRandomly(to.rows(0, 1), x.rows(0, 1), 9, 0);
        assertThat(to.get(0)).isEqualTo(-0.375);
    }
}
