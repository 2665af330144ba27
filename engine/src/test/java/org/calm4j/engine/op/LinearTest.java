package org.calm4j.engine.op;

import java.util.Random;
import java.util.function.DoubleSupplier;
import org.apache.commons.math3.linear.RealMatrix;
import org.calm4j.engine.op.scalar.ScalarBackend;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

final class LinearTest {
    private final Backend backend = new ScalarBackend(DType.F64);
    private final Random random = new Random(2);

    @ParameterizedTest
    @CsvSource({"1,1,1,1,false", "3,5,7,-0.7,false", "5,1,4,2,true", "2,6,1,0.3,true"})
    void finiteDifferences(int t, int n, int k, double alpha, boolean add) {
        Tensor x = Doubles.random(random, 1, t, k);
        Tensor w = Doubles.random(random, 1, n, k);
        Tensor before = Doubles.random(random, 1, t, n);
        Tensor dOut = Doubles.random(random, 1, t, n);
        DoubleSupplier objective = () -> {
            Tensor out = add ? Doubles.copy(before) : Doubles.unset(t, n);
            backend.linearForward(out, x, w, alpha, add);
            return Doubles.dot(dOut, out);
        };
        Tensor dX = Doubles.unset(t, k);
        backend.linearBackwardInput(dX, dOut, w, alpha, false);
        FiniteDifferences.check("dX", x, dX, objective);
        Tensor dW = Doubles.of(new double[n * k], n, k);
        backend.linearBackwardWeight(dW, dOut, x, alpha, true);
        FiniteDifferences.check("dW", w, dW, objective);
    }

    /** out = αx·wᵀ, dX = αdOut·w, dW = αdOutᵀ·x, each set or added, by another library's product. */
    @ParameterizedTest
    @CsvSource({"1,1,1", "3,5,7", "8,2,3"})
    void matrixProducts(int t, int n, int k) {
        Tensor x = Doubles.random(random, 1, t, k);
        Tensor w = Doubles.random(random, 1, n, k);
        Tensor dOut = Doubles.random(random, 1, t, n);
        double alpha = -1.3;
        RealMatrix scaled = Doubles.matrix(w).scalarMultiply(alpha);
        Tensor out = Doubles.unset(t, n);
        Tensor expectedOut = Doubles.of(Doubles.matrix(x).multiply(scaled.transpose()));
        backend.linearForward(out, x, w, alpha, false);
        Doubles.assertClose("out set", out, expectedOut);
        backend.linearForward(out, x, w, alpha, true);
        Doubles.assertClose("out added", out, Doubles.plus(expectedOut, expectedOut));

        Tensor dX = Doubles.unset(t, k);
        Tensor expectedDX = Doubles.of(Doubles.matrix(dOut).multiply(scaled));
        backend.linearBackwardInput(dX, dOut, w, alpha, false);
        Doubles.assertClose("dX set", dX, expectedDX);
        backend.linearBackwardInput(dX, dOut, w, alpha, true);
        Doubles.assertClose("dX added", dX, Doubles.plus(expectedDX, expectedDX));

        Tensor before = Doubles.random(random, 1, n, k);
        Tensor dW = Doubles.copy(before);
        Tensor expectedDW = Doubles.of(
                Doubles.matrix(dOut).transpose().multiply(Doubles.matrix(x)).scalarMultiply(alpha));
        backend.linearBackwardWeight(dW, dOut, x, alpha, true);
        Doubles.assertClose("dW added", dW, Doubles.plus(before, expectedDW));
    }

    /** ⟨dOut, J·u⟩ = ⟨Jᵀ·dOut, u⟩: the product is linear in x and in w, so J·u is the product itself. */
    @Test
    void adjointIdentity() {
        Tensor x = Doubles.random(random, 1, 4, 5);
        Tensor w = Doubles.random(random, 1, 3, 5);
        Tensor dOut = Doubles.random(random, 1, 4, 3);
        Tensor out = Doubles.unset(4, 3);
        backend.linearForward(out, x, w, 0.6, false);
        double product = Doubles.dot(dOut, out);
        Tensor dX = Doubles.unset(4, 5);
        backend.linearBackwardInput(dX, dOut, w, 0.6, false);
        Doubles.assertClose("x", Doubles.dot(dX, x), product);
        Tensor dW = Doubles.of(new double[15], 3, 5);
        backend.linearBackwardWeight(dW, dOut, x, 0.6, true);
        Doubles.assertClose("w", Doubles.dot(dW, w), product);
    }

    @ParameterizedTest
    @MethodSource("oracle")
    void pytorch(Oracle oracle) {
        double alpha = oracle.number("alpha");
        Tensor out = oracle.unset("out");
        backend.linearForward(out, oracle.tensor("x"), oracle.tensor("w"), alpha, false);
        oracle.check("out", out);
        Tensor dX = oracle.unset("dX");
        backend.linearBackwardInput(dX, oracle.tensor("dOut"), oracle.tensor("w"), alpha, false);
        oracle.check("dX", dX);
        Tensor dW = oracle.zero("dW");
        backend.linearBackwardWeight(dW, oracle.tensor("dOut"), oracle.tensor("x"), alpha, true);
        oracle.check("dW", dW);
    }

    static Iterable<Oracle> oracle() {
        return Oracle.cases("Linear");
    }
}
