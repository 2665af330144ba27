package org.calm4j.engine.op;

import java.util.Random;
import org.apache.commons.math3.linear.Array2DRowRealMatrix;
import org.apache.commons.math3.linear.RealMatrix;
import org.calm4j.engine.op.scalar.ScalarBackend;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

final class BiasTest {
    private final Backend backend = new ScalarBackend(DType.F64);
    private final Random random = new Random(12);

    @ParameterizedTest
    @CsvSource({"1,1", "3,5", "7,2"})
    void finiteDifferences(int t, int n) {
        Tensor x = Doubles.random(random, 1, t, n);
        Tensor bias = Doubles.random(random, 1, n);
        Tensor dOut = Doubles.random(random, 1, t, n);
        Tensor dBias = Doubles.of(new double[n], n);
        backend.biasBackward(dBias, dOut);
        FiniteDifferences.check("dBias", bias, dBias, () -> {
            Tensor out = Doubles.copy(x);
            backend.biasForward(out, bias);
            return Doubles.dot(dOut, out);
        });
    }

    /** {@code x + 1·biasᵀ}; the way back is a product with the ones, added to what is there. */
    @Test
    void isAProductWithOnes() {
        Tensor x = Doubles.random(random, 1, 4, 3);
        Tensor bias = Doubles.random(random, 1, 3);
        RealMatrix ones = new Array2DRowRealMatrix(4, 1).scalarAdd(1);
        Tensor out = Doubles.copy(x);
        backend.biasForward(out, bias);
        Doubles.assertClose("out", out, Doubles.plus(x, Doubles.of(ones.multiply(Doubles.matrix(bias.view(1, 3))))));
        Tensor dBias = Doubles.copy(bias);
        backend.biasBackward(dBias, out);
        Doubles.assertClose(
                "dBias", dBias, Doubles.plus(bias, Doubles.of(ones.transpose().multiply(Doubles.matrix(out)))));
    }

    @ParameterizedTest
    @MethodSource("oracle")
    void pytorch(Oracle oracle) {
        Tensor x = oracle.tensor("x");
        backend.biasForward(x, oracle.tensor("bias"));
        oracle.check("out", x);
        Tensor dBias = oracle.zero("dBias");
        backend.biasBackward(dBias, oracle.tensor("dOut"));
        oracle.check("dBias", dBias);
    }

    static Iterable<Oracle> oracle() {
        return Oracle.cases("Bias");
    }
}
