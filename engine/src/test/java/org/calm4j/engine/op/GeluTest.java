package org.calm4j.engine.op;

import java.util.Random;
import java.util.function.DoubleSupplier;
import org.apache.commons.math3.analysis.differentiation.DerivativeStructure;
import org.calm4j.engine.op.scalar.ScalarBackend;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

final class GeluTest {
    private final Backend backend = new ScalarBackend(DType.F64);
    private final Random random = new Random(13);

    @ParameterizedTest
    @CsvSource({"1,1", "3,5", "4,7"})
    void finiteDifferences(int t, int f) {
        Tensor x = Doubles.random(random, 3, t, f);
        Tensor dOut = Doubles.random(random, 1, t, f);
        Tensor out = Doubles.unset(t, f);
        Tensor dX = Doubles.unset(t, f);
        backend.geluBackward(dX, dOut, x);
        DoubleSupplier objective = () -> {
            backend.geluForward(out, x);
            return Doubles.dot(dOut, out);
        };
        FiniteDifferences.check("dX", x, dX, objective);
    }

    /** ⟨dOut, J·u⟩ = ⟨dX, u⟩, J·u by automatic differentiation of {@code x / (1 + exp(−√(8/π)(x + 0.044715 x³)))}; in place both ways. */
    @Test
    void adjointIdentity() {
        Tensor x = Doubles.random(random, 3, 2, 5);
        Tensor u = Doubles.random(random, 1, 2, 5);
        Tensor dOut = Doubles.random(random, 1, 2, 5);
        Tensor out = Doubles.unset(2, 5);
        backend.geluForward(out, x);
        double product = 0;
        for (int i = 0; i < 10; i++) {
            DerivativeStructure v = new DerivativeStructure(1, 1, x.get(i), u.get(i));
            DerivativeStructure y = v.divide(v.pow(3)
                    .multiply(0.044715)
                    .add(v)
                    .multiply(-Math.sqrt(8 / Math.PI))
                    .exp()
                    .add(1));
            Doubles.assertClose("out", out.get(i), y.getValue());
            product += dOut.get(i) * y.getPartialDerivative(1);
        }
        Tensor inPlaceOfX = Doubles.copy(x);
        backend.geluBackward(inPlaceOfX, dOut, inPlaceOfX);
        Doubles.assertClose("product", Doubles.dot(inPlaceOfX, u), product);
        backend.geluBackward(dOut, dOut, x);
        Doubles.assertClose("product", Doubles.dot(dOut, u), product);
    }

    @Test
    void extremes() {
        Tensor x = Doubles.of(new double[] {1000, -1000, 0}, 1, 3);
        Tensor out = Doubles.unset(1, 3);
        backend.geluForward(out, x);
        Doubles.assertClose("out", out, Doubles.of(new double[] {1000, 0, 0}, 1, 3));
        backend.geluBackward(x, Doubles.of(new double[] {1, 1, 1}, 1, 3), x);
        Doubles.assertClose("dX", x, Doubles.of(new double[] {1, 0, 0.5}, 1, 3));
    }

    @ParameterizedTest
    @MethodSource("oracle")
    void pytorch(Oracle oracle) {
        Tensor out = oracle.unset("out");
        backend.geluForward(out, oracle.tensor("x"));
        oracle.check("out", out);
        Tensor dX = oracle.unset("dX");
        backend.geluBackward(dX, oracle.tensor("dOut"), oracle.tensor("x"));
        oracle.check("dX", dX);
    }

    static Iterable<Oracle> oracle() {
        return Oracle.cases("Gelu");
    }
}
