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

final class SwiGluTest {
    private final Backend backend = new ScalarBackend(DType.F64);
    private final Random random = new Random(6);

    @ParameterizedTest
    @CsvSource({"1,1", "3,5", "4,7"})
    void finiteDifferences(int t, int f) {
        Tensor gate = Doubles.random(random, 4, t, f);
        Tensor up = Doubles.random(random, 1, t, f);
        Tensor dOut = Doubles.random(random, 1, t, f);
        Tensor out = Doubles.unset(t, f);
        Tensor dGate = Doubles.unset(t, f);
        Tensor dUp = Doubles.unset(t, f);
        backend.swiGluBackward(dGate, dUp, dOut, gate, up);
        DoubleSupplier objective = () -> {
            backend.swiGluForward(out, gate, up);
            return Doubles.dot(dOut, out);
        };
        FiniteDifferences.check("dGate", gate, dGate, objective);
        FiniteDifferences.check("dUp", up, dUp, objective);
    }

    /** ⟨dOut, J·(a,b)⟩ = ⟨dGate, a⟩ + ⟨dUp, b⟩, J·(a,b) by automatic differentiation of {@code x/2·(1 + tanh(x/2))·up}; in place. */
    @Test
    void adjointIdentity() {
        Tensor gate = Doubles.random(random, 3, 2, 5);
        Tensor up = Doubles.random(random, 1, 2, 5);
        Tensor a = Doubles.random(random, 1, 2, 5);
        Tensor b = Doubles.random(random, 1, 2, 5);
        Tensor dOut = Doubles.random(random, 1, 2, 5);
        Tensor out = Doubles.unset(2, 5);
        backend.swiGluForward(out, gate, up);
        double product = 0;
        for (int i = 0; i < 10; i++) {
            DerivativeStructure halfGate = new DerivativeStructure(1, 1, gate.get(i), a.get(i)).divide(2);
            DerivativeStructure y = halfGate.tanh()
                    .add(1)
                    .multiply(halfGate)
                    .multiply(new DerivativeStructure(1, 1, up.get(i), b.get(i)));
            Doubles.assertClose("out", out.get(i), y.getValue());
            product += dOut.get(i) * y.getPartialDerivative(1);
        }
        backend.swiGluBackward(gate, up, dOut, gate, up);
        Doubles.assertClose("product", Doubles.dot(gate, a) + Doubles.dot(up, b), product);
    }

    /** σ saturates; e¹⁰⁰⁰ must not make NaN. */
    @Test
    void extremes() {
        Tensor gate = Doubles.of(new double[] {1000, -1000, 0}, 1, 3);
        Tensor up = Doubles.of(new double[] {2, 2, 2}, 1, 3);
        Tensor dOut = Doubles.of(new double[] {1, 1, 1}, 1, 3);
        Tensor out = Doubles.unset(1, 3);
        backend.swiGluForward(out, gate, up);
        Doubles.assertClose("out", out, Doubles.of(new double[] {2000, 0, 0}, 1, 3));
        backend.swiGluBackward(gate, up, dOut, gate, up);
        Doubles.assertClose("dGate", gate, Doubles.of(new double[] {2, 0, 1}, 1, 3));
        Doubles.assertClose("dUp", up, Doubles.of(new double[] {1000, 0, 0}, 1, 3));
    }

    @ParameterizedTest
    @MethodSource("oracle")
    void pytorch(Oracle oracle) {
        Tensor out = oracle.unset("out");
        backend.swiGluForward(out, oracle.tensor("gate"), oracle.tensor("up"));
        oracle.check("out", out);
        Tensor dGate = oracle.unset("dGate");
        Tensor dUp = oracle.unset("dUp");
        backend.swiGluBackward(dGate, dUp, oracle.tensor("dOut"), oracle.tensor("gate"), oracle.tensor("up"));
        oracle.check("dGate", dGate);
        oracle.check("dUp", dUp);
    }

    static Iterable<Oracle> oracle() {
        return Oracle.cases("SwiGlu");
    }
}
