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

final class RmsNormTest {
    private final Backend backend = new ScalarBackend(DType.F64);
    private final Random random = new Random(3);

    @ParameterizedTest
    @CsvSource({"1,1,1", "3,5,1e-5", "4,7,0.5"})
    void finiteDifferences(int t, int c, double epsilon) {
        Tensor x = Doubles.random(random, 2, t, c);
        Tensor w = Doubles.random(random, 1, c);
        Tensor dOut = Doubles.random(random, 1, t, c);
        Tensor out = Doubles.unset(t, c);
        Tensor rstd = Doubles.unset(t);
        DoubleSupplier objective = () -> {
            backend.rmsNormForward(out, rstd, x, null, w, epsilon);
            return Doubles.dot(dOut, out);
        };
        objective.getAsDouble();
        Tensor dX = Doubles.of(new double[t * c], t, c);
        Tensor dW = Doubles.of(new double[c], c);
        backend.rmsNormBackward(dX, dW, dOut, x, w, Doubles.copy(rstd));
        FiniteDifferences.check("dX", x, dX, objective);
        FiniteDifferences.check("dW", w, dW, objective);
    }

    @Test
    void theResidualIsAddedFirst() {
        Tensor x = Doubles.random(random, 2, 3, 5);
        Tensor residual = Doubles.random(random, 2, 3, 5);
        Tensor w = Doubles.random(random, 1, 5);
        Tensor sum = Doubles.plus(x, residual);
        Tensor[] out = {Doubles.unset(3, 5), Doubles.unset(3, 5)};
        Tensor[] rstd = {Doubles.unset(3), Doubles.unset(3)};
        backend.rmsNormForward(out[0], rstd[0], sum, null, w, 1e-5);
        backend.rmsNormForward(out[1], rstd[1], x, residual, w, 1e-5);
        Doubles.assertClose("x", x, sum);
        Doubles.assertClose("out", out[1], out[0]);
        Doubles.assertClose("rstd", rstd[1], rstd[0]);
    }

    /** ⟨dOut, J·(u,z)⟩ = ⟨dX, u⟩ + ⟨dW, z⟩, with J·(u,z) by automatic differentiation of the formula along one direction. */
    @Test
    void adjointIdentity() {
        int t = 3;
        int c = 4;
        double epsilon = 0.2;
        Tensor x = Doubles.random(random, 1, t, c);
        Tensor w = Doubles.random(random, 1, c);
        Tensor u = Doubles.random(random, 1, t, c);
        Tensor z = Doubles.random(random, 1, c);
        Tensor dOut = Doubles.random(random, 1, t, c);
        Tensor out = Doubles.unset(t, c);
        Tensor rstd = Doubles.unset(t);
        backend.rmsNormForward(out, rstd, x, null, w, epsilon);
        double product = 0;
        for (int row = 0; row < t; row++) {
            DerivativeStructure squares = new DerivativeStructure(1, 1, c * epsilon);
            for (int i = 0; i < c; i++) {
                squares = squares.add(along(x, u, row * c + i).pow(2));
            }
            for (int i = 0; i < c; i++) {
                DerivativeStructure y = along(x, u, row * c + i)
                        .divide(squares.divide(c).sqrt())
                        .multiply(along(w, z, i));
                Doubles.assertClose("out", out.get(row * c + i), y.getValue());
                product += dOut.get(row * c + i) * y.getPartialDerivative(1);
            }
        }
        Tensor dX = Doubles.of(new double[t * c], t, c);
        Tensor dW = Doubles.of(new double[c], c);
        backend.rmsNormBackward(dX, dW, dOut, x, w, rstd);
        Doubles.assertClose("product", Doubles.dot(dX, u) + Doubles.dot(dW, z), product);
    }

    private static DerivativeStructure along(Tensor x, Tensor direction, long i) {
        return new DerivativeStructure(1, 1, x.get(i), direction.get(i));
    }

    @Test
    void addsToGradientsAndLeavesAFrozenWeightAlone() {
        Tensor x = Doubles.random(random, 1, 2, 3);
        Tensor w = Doubles.random(random, 1, 3);
        Tensor dOut = Doubles.random(random, 1, 2, 3);
        Tensor rstd = Doubles.unset(2);
        backend.rmsNormForward(Doubles.unset(2, 3), rstd, x, null, w, 1e-5);
        Tensor dX = Doubles.of(new double[6], 2, 3);
        Tensor dW = Doubles.of(new double[3], 3);
        backend.rmsNormBackward(dX, dW, dOut, x, w, rstd);
        Tensor twiceX = Doubles.copy(dX);
        Tensor twiceW = Doubles.copy(dW);
        backend.rmsNormBackward(twiceX, twiceW, dOut, x, w, rstd);
        Doubles.assertClose("dX", twiceX, Doubles.plus(dX, dX));
        Doubles.assertClose("dW", twiceW, Doubles.plus(dW, dW));
        Tensor alone = Doubles.of(new double[6], 2, 3);
        backend.rmsNormBackward(alone, null, dOut, x, w, rstd);
        Doubles.assertClose("dX without dW", alone, dX);
    }

    @ParameterizedTest
    @MethodSource("oracle")
    void pytorch(Oracle oracle) {
        Tensor out = oracle.unset("out");
        Tensor rstd = oracle.unset("rstd");
        backend.rmsNormForward(out, rstd, oracle.tensor("x"), null, oracle.tensor("w"), oracle.number("epsilon"));
        oracle.check("out", out);
        oracle.check("rstd", rstd);
        Tensor dX = oracle.zero("dX");
        Tensor dW = oracle.zero("dW");
        backend.rmsNormBackward(dX, dW, oracle.tensor("dOut"), oracle.tensor("x"), oracle.tensor("w"), rstd);
        oracle.check("dX", dX);
        oracle.check("dW", dW);
    }

    static Iterable<Oracle> oracle() {
        return Oracle.cases("RmsNorm");
    }
}
