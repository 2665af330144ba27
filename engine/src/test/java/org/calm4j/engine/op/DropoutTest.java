package org.calm4j.engine.op;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.Random;
import java.util.SplittableRandom;
import org.calm4j.engine.op.scalar.ScalarBackend;
import org.calm4j.engine.random.CounterRandom;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;
import org.junit.jupiter.api.Test;

final class DropoutTest {
    private static final long SEED = 123;
    private final Backend backend = new ScalarBackend(DType.F64);
    private final Random random = new Random(10);

    @Test
    void finiteDifferences() {
        Tensor x = Doubles.random(random, 1, 5, 7);
        Tensor dOut = Doubles.random(random, 1, 5, 7);
        Tensor dX = Doubles.unset(5, 7);
        backend.dropout(dX, dOut, 0.4, SEED, false);
        Tensor out = Doubles.unset(5, 7);
        FiniteDifferences.check("dX", x, dX, () -> {
            backend.dropout(out, x, 0.4, SEED, false);
            return Doubles.dot(dOut, out);
        });
    }

    /** ⟨dOut, D·u⟩ = ⟨D·dOut, u⟩: a diagonal matrix is its own transpose. */
    @Test
    void adjointIdentity() {
        Tensor u = Doubles.random(random, 1, 31);
        Tensor dOut = Doubles.random(random, 1, 31);
        Tensor out = Doubles.unset(31);
        backend.dropout(out, u, 0.3, SEED, false);
        Tensor dU = Doubles.unset(31);
        backend.dropout(dU, dOut, 0.3, SEED, false);
        Doubles.assertClose("product", Doubles.dot(dU, u), Doubles.dot(dOut, out));
    }

    /** Kept values are scaled so that the mean stays, dropped ones are 0, about p of them; every seed has its own mask. */
    @Test
    void dropsTheShareAndKeepsTheMean() {
        int n = 40_000;
        double[] ones = new double[n];
        Arrays.fill(ones, 1);
        Tensor out = Doubles.unset(n);
        backend.dropout(out, Doubles.of(ones, n), 0.2, SEED, false);
        double[] values = Doubles.array(out);
        assertThat(Arrays.stream(values).allMatch(value -> value == 0 || value == 1 / 0.8))
                .isTrue();
        // Five standard deviations of the mean.
        assertThat(Arrays.stream(values).average().orElseThrow()).isCloseTo(1, within(5 * Math.sqrt(0.2 / 0.8 / n)));
        backend.dropout(out, Doubles.of(ones, n), 0.2, SEED + 1, false);
        assertThat(Doubles.array(out)).isNotEqualTo(values);
    }

    @Test
    void addsAndWithoutDropoutCopies() {
        Tensor x = Doubles.random(random, 1, 9);
        Tensor before = Doubles.random(random, 1, 9);
        Tensor set = Doubles.unset(9);
        backend.dropout(set, x, 0.5, SEED, false);
        Tensor added = Doubles.copy(before);
        backend.dropout(added, x, 0.5, SEED, true);
        Doubles.assertClose("added", added, Doubles.plus(before, set));
        backend.dropout(set, x, 0, SEED, false);
        assertThat(Doubles.array(set)).isEqualTo(Doubles.array(x));
    }

    /** The mask's random numbers are SplitMix64's: the published sequence of seed 1234567, and the JDK's, which mixes alike. */
    @Test
    void randomNumbersOfOthers() {
        String[] published = {
            "6457827717110365317",
            "3203168211198807973",
            "9817491932198370423",
            "4593380528125082431",
            "16408922859458223821"
        };
        for (int i = 0; i < published.length; i++) {
            assertThat(Long.toUnsignedString(CounterRandom.bits(1234567, i))).isEqualTo(published[i]);
        }
        SplittableRandom jdk = new SplittableRandom(SEED);
        Tensor x = Doubles.random(random, 1, 50);
        Tensor out = Doubles.unset(50);
        backend.dropout(out, x, 0.35, SEED, false);
        for (int i = 0; i < 50; i++) {
            double uniform = (jdk.nextLong() >>> 11) * 0x1p-53;
            Doubles.assertClose("element " + i, out.get(i), uniform < 0.35 ? 0 : x.get(i) / 0.65);
        }
    }
}
