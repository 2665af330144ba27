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

final class LayerNormTest {
    private final Backend backend = new ScalarBackend(DType.F64);
    private final Random random = new Random(14);

    /** Inputs, outputs and gradients of one shape; gradients start from zero. */
    private final class Case {
        final Tensor x;
        final Tensor w;
        final Tensor bias;
        final Tensor dOut;
        final Tensor out;
        final Tensor mean;
        final Tensor rstd;
        final Tensor dX;
        final Tensor dW;
        final Tensor dBias;
        private final double epsilon;

        Case(int t, int c, double epsilon) {
            this.epsilon = epsilon;
            x = Doubles.random(random, 2, t, c);
            w = Doubles.random(random, 1, c);
            bias = Doubles.random(random, 1, c);
            dOut = Doubles.random(random, 1, t, c);
            out = Doubles.unset(t, c);
            mean = Doubles.unset(t);
            rstd = Doubles.unset(t);
            dX = Doubles.of(new double[t * c], t, c);
            dW = Doubles.of(new double[c], c);
            dBias = Doubles.of(new double[c], c);
            forward();
            backend.layerNormBackward(dX, dW, dBias, dOut, x, w, Doubles.copy(mean), Doubles.copy(rstd));
        }

        void forward() {
            backend.layerNormForward(out, mean, rstd, x, null, w, bias, epsilon);
        }
    }

    @ParameterizedTest
    @CsvSource({"1,1,1", "3,5,1e-1", "4,7,0.5"})
    void finiteDifferences(int t, int c, double epsilon) {
        Case layer = new Case(t, c, epsilon);
        DoubleSupplier objective = () -> {
            layer.forward();
            return Doubles.dot(layer.dOut, layer.out);
        };
        FiniteDifferences.check("dX", layer.x, layer.dX, objective);
        FiniteDifferences.check("dW", layer.w, layer.dW, objective);
        FiniteDifferences.check("dBias", layer.bias, layer.dBias, objective);
    }

    @Test
    void theResidualIsAddedFirst() {
        Case layer = new Case(3, 5, 1e-5);
        Tensor residual = Doubles.random(random, 2, 3, 5);
        Tensor sum = Doubles.plus(layer.x, residual);
        Tensor out = Doubles.unset(3, 5);
        Tensor mean = Doubles.unset(3);
        Tensor rstd = Doubles.unset(3);
        backend.layerNormForward(out, mean, rstd, sum, null, layer.w, layer.bias, 1e-5);
        backend.layerNormForward(layer.out, layer.mean, layer.rstd, layer.x, residual, layer.w, layer.bias, 1e-5);
        Doubles.assertClose("x", layer.x, sum);
        Doubles.assertClose("out", layer.out, out);
        Doubles.assertClose("mean", layer.mean, mean);
        Doubles.assertClose("rstd", layer.rstd, rstd);
    }

    /** ⟨dOut, J·(u,z,b)⟩ = ⟨dX, u⟩ + ⟨dW, z⟩ + ⟨dBias, b⟩, with the left side by automatic differentiation along one direction. */
    @Test
    void adjointIdentity() {
        int c = 4;
        Case layer = new Case(3, c, 0.2);
        Tensor u = Doubles.random(random, 1, 3, c);
        Tensor z = Doubles.random(random, 1, c);
        Tensor b = Doubles.random(random, 1, c);
        double product = 0;
        for (int row = 0; row < 3; row++) {
            DerivativeStructure mean = new DerivativeStructure(1, 1, 0);
            DerivativeStructure squares = new DerivativeStructure(1, 1, 0);
            for (int i = 0; i < c; i++) {
                mean = mean.add(along(layer.x, u, row * c + i).divide(c));
                squares = squares.add(along(layer.x, u, row * c + i).pow(2).divide(c));
            }
            DerivativeStructure deviation =
                    squares.subtract(mean.pow(2)).add(0.2).sqrt();
            for (int i = 0; i < c; i++) {
                DerivativeStructure y = along(layer.x, u, row * c + i)
                        .subtract(mean)
                        .divide(deviation)
                        .multiply(along(layer.w, z, i))
                        .add(along(layer.bias, b, i));
                Doubles.assertClose("out", layer.out.get(row * c + i), y.getValue());
                product += layer.dOut.get(row * c + i) * y.getPartialDerivative(1);
            }
        }
        Doubles.assertClose(
                "product", Doubles.dot(layer.dX, u) + Doubles.dot(layer.dW, z) + Doubles.dot(layer.dBias, b), product);
    }

    private static DerivativeStructure along(Tensor x, Tensor direction, long i) {
        return new DerivativeStructure(1, 1, x.get(i), direction.get(i));
    }

    @Test
    void addsToGradientsAndLeavesFrozenWeightsAlone() {
        Case layer = new Case(2, 3, 1e-5);
        Tensor dX = Doubles.copy(layer.dX);
        Tensor dW = Doubles.copy(layer.dW);
        Tensor dBias = Doubles.copy(layer.dBias);
        backend.layerNormBackward(dX, dW, dBias, layer.dOut, layer.x, layer.w, layer.mean, layer.rstd);
        Doubles.assertClose("dX", dX, Doubles.plus(layer.dX, layer.dX));
        Doubles.assertClose("dW", dW, Doubles.plus(layer.dW, layer.dW));
        Doubles.assertClose("dBias", dBias, Doubles.plus(layer.dBias, layer.dBias));
        Tensor alone = Doubles.of(new double[6], 2, 3);
        backend.layerNormBackward(alone, null, null, layer.dOut, layer.x, layer.w, layer.mean, layer.rstd);
        Doubles.assertClose("dX alone", alone, layer.dX);
    }

    @ParameterizedTest
    @MethodSource("oracle")
    void pytorch(Oracle oracle) {
        Tensor out = oracle.unset("out");
        Tensor mean = oracle.unset("mean");
        Tensor rstd = oracle.unset("rstd");
        backend.layerNormForward(
                out,
                mean,
                rstd,
                oracle.tensor("x"),
                null,
                oracle.tensor("w"),
                oracle.tensor("bias"),
                oracle.number("epsilon"));
        oracle.check("out", out);
        oracle.check("mean", mean);
        oracle.check("rstd", rstd);
        Tensor dX = oracle.zero("dX");
        Tensor dW = oracle.zero("dW");
        Tensor dBias = oracle.zero("dBias");
        backend.layerNormBackward(
                dX, dW, dBias, oracle.tensor("dOut"), oracle.tensor("x"), oracle.tensor("w"), mean, rstd);
        oracle.check("dX", dX);
        oracle.check("dW", dW);
        oracle.check("dBias", dBias);
    }

    static Iterable<Oracle> oracle() {
        return Oracle.cases("LayerNorm");
    }
}
