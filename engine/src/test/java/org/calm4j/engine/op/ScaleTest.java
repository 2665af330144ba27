package org.calm4j.engine.op;

import java.util.Random;
import org.apache.commons.math3.linear.MatrixUtils;
import org.apache.commons.math3.linear.RealMatrix;
import org.calm4j.engine.op.scalar.ScalarBackend;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

final class ScaleTest {
    private final Backend backend = new ScalarBackend(DType.F64);
    private final Random random = new Random(12);

    @ParameterizedTest
    @CsvSource({"1,1", "3,5", "7,2"})
    void finiteDifferences(int t, int n) {
        Tensor x = Doubles.random(random, 1, t, n);
        Tensor scale = Doubles.random(random, 1, n);
        Tensor dOut = Doubles.random(random, 1, t, n);
        Tensor dScale = Doubles.of(new double[n], n);
        Tensor dX = Doubles.unset(t, n);
        backend.scaleBackward(dScale, dOut, x);
        backend.scaleForward(dX, dOut, scale, false);
        FiniteDifferences.check("dScale", scale, dScale, () -> loss(x, scale, dOut));
        FiniteDifferences.check("dX", x, dX, () -> loss(x, scale, dOut));
    }

    private double loss(Tensor x, Tensor scale, Tensor dOut) {
        Tensor out = Doubles.unset(x.shape());
        backend.scaleForward(out, x, scale, false);
        return Doubles.dot(dOut, out);
    }

    /** {@code x · diag(scale)}, set or added; the way back is the diagonal of {@code dOutᵀ · x}, added. */
    @Test
    void isAProductWithADiagonal() {
        Tensor x = Doubles.random(random, 1, 4, 3);
        Tensor scale = Doubles.random(random, 1, 3);
        Tensor out = Doubles.random(random, 1, 4, 3);
        RealMatrix product = Doubles.matrix(x)
                .multiply(MatrixUtils.createRealDiagonalMatrix(
                        Doubles.matrix(scale.view(1, 3)).getRow(0)));
        Tensor before = Doubles.copy(out);
        Tensor dScale = Doubles.copy(scale);
        backend.scaleBackward(dScale, out, x);
        RealMatrix both = Doubles.matrix(out).transpose().multiply(Doubles.matrix(x));
        Doubles.assertClose(
                "dScale",
                dScale,
                Doubles.plus(
                        scale,
                        Doubles.of(new double[] {both.getEntry(0, 0), both.getEntry(1, 1), both.getEntry(2, 2)}, 3)));
        backend.scaleForward(out, x, scale, true);
        Doubles.assertClose("added", out, Doubles.plus(before, Doubles.of(product)));
        backend.scaleForward(x, x, scale, false);
        Doubles.assertClose("in place", x, Doubles.of(product));
    }

    @ParameterizedTest
    @MethodSource("oracle")
    void pytorch(Oracle oracle) {
        Tensor x = oracle.tensor("x");
        Tensor out = oracle.unset("out");
        backend.scaleForward(out, x, oracle.tensor("scale"), false);
        oracle.check("out", out);
        Tensor dScale = oracle.zero("dScale");
        backend.scaleBackward(dScale, oracle.tensor("dOut"), x);
        oracle.check("dScale", dScale);
        backend.scaleForward(out, oracle.tensor("dOut"), oracle.tensor("scale"), false);
        oracle.check("dX", out);
    }

    static Iterable<Oracle> oracle() {
        return Oracle.cases("Scale");
    }
}
