package org.calm4j.engine.op;

import java.util.Random;
import org.apache.commons.math3.complex.Complex;
import org.calm4j.engine.op.scalar.ScalarBackend;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

final class RopeTest {
    private final Backend backend = new ScalarBackend(DType.F64);
    private final Random random = new Random(4);

    @ParameterizedTest
    @CsvSource({"1,1,2,2", "3,2,6,6", "5,3,4,4", "3,2,7,4"})
    void finiteDifferences(int t, int h, int d, int turned) {
        Tensor x = Doubles.random(random, 1, t, h, d);
        // No circle: the gradient of the formula, whatever the tables hold.
        Tensor cosine = Doubles.random(random, 1, 7, turned / 2);
        Tensor sine = Doubles.random(random, 1, 7, turned / 2);
        Tensor position = Doubles.indices(random.ints(t, 0, 7).toArray());
        Tensor dOut = Doubles.random(random, 1, t, h, d);
        Tensor dX = Doubles.copy(dOut);
        backend.ropeBackward(dX, cosine, sine, position);
        FiniteDifferences.check("dX", x, dX, () -> {
            Tensor out = Doubles.copy(x);
            backend.ropeForward(out, cosine, sine, position);
            return Doubles.dot(dOut, out);
        });
    }

    /** Elements i and i + D/2 are a complex number that is multiplied by e^(i·angle); the gradient is turned back. */
    @Test
    void turnsComplexNumbers() {
        int[] positions = {5, 0, 5, 2};
        int half = 3;
        Tensor cosine = Doubles.unset(6, half);
        Tensor sine = Doubles.unset(6, half);
        for (int i = 0; i < 6 * half; i++) {
            cosine.set(i, Math.cos(angle(i / half, i % half)));
            sine.set(i, Math.sin(angle(i / half, i % half)));
        }
        Tensor x = Doubles.random(random, 1, positions.length, 2, 2 * half);
        Tensor turned = Doubles.copy(x);
        backend.ropeForward(turned, cosine, sine, Doubles.indices(positions));
        for (int t = 0; t < positions.length; t++) {
            for (int h = 0; h < 2; h++) {
                for (int i = 0; i < half; i++) {
                    long at = (t * 2 + h) * 2 * half + i;
                    Complex expected = new Complex(x.get(at), x.get(at + half))
                            .multiply(Complex.I.multiply(angle(positions[t], i)).exp());
                    Doubles.assertClose("real", turned.get(at), expected.getReal());
                    Doubles.assertClose("imaginary", turned.get(at + half), expected.getImaginary());
                }
            }
        }
        backend.ropeBackward(turned, cosine, sine, Doubles.indices(positions));
        Doubles.assertClose("turned back", turned, x);
    }

    private static double angle(int position, int i) {
        return 0.9 * position / (1 + 0.4 * i);
    }

    /** ⟨dOut, J·u⟩ = ⟨Jᵀ·dOut, u⟩: turning is linear, so J·u is the turned u. */
    @Test
    void adjointIdentity() {
        Tensor cosine = Doubles.random(random, 1, 4, 2);
        Tensor sine = Doubles.random(random, 1, 4, 2);
        Tensor position = Doubles.indices(3, 1, 1);
        Tensor u = Doubles.random(random, 1, 3, 2, 4);
        Tensor dOut = Doubles.random(random, 1, 3, 2, 4);
        Tensor out = Doubles.copy(u);
        backend.ropeForward(out, cosine, sine, position);
        Tensor dX = Doubles.copy(dOut);
        backend.ropeBackward(dX, cosine, sine, position);
        Doubles.assertClose("product", Doubles.dot(dX, u), Doubles.dot(dOut, out));
    }

    @ParameterizedTest
    @MethodSource("oracle")
    void pytorch(Oracle oracle) {
        Tensor x = oracle.tensor("x");
        backend.ropeForward(x, oracle.tensor("cosine"), oracle.tensor("sine"), oracle.tensor("position"));
        oracle.check("out", x);
        Tensor dX = oracle.tensor("dOut");
        backend.ropeBackward(dX, oracle.tensor("cosine"), oracle.tensor("sine"), oracle.tensor("position"));
        oracle.check("dX", dX);
    }

    static Iterable<Oracle> oracle() {
        return Oracle.cases("Rope");
    }
}
