package org.calm4j.engine.op;

import java.util.Random;
import org.calm4j.engine.op.scalar.ScalarBackend;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

final class AdamWTest {
    private final Backend backend = new ScalarBackend(DType.F64);

    /** With the same gradient at every step m̂ = g and v̂ = g², so w ← w(1 − lr·wd) − lr·g/(|g| + ε): a geometric series. */
    @Test
    void constantGradient() {
        double learningRate = 0.03;
        double weightDecay = 0.4;
        double epsilon = 0.05;
        double[] start = {1, -2, 0.5, 0};
        double[] gradient = {0.3, -0.7, 0, 1e-3};
        double gradScale = 0.25;
        Tensor w = Doubles.of(start, 4);
        Tensor m = Doubles.of(new double[4], 4);
        Tensor v = Doubles.of(new double[4], 4);
        int steps = 20;
        for (int step = 1; step <= steps; step++) {
            backend.adamW(
                    w,
                    m,
                    v,
                    Doubles.of(gradient, 4),
                    new AdamW(0.9, 0.99, epsilon),
                    learningRate,
                    weightDecay,
                    gradScale,
                    step);
        }
        double kept = Math.pow(1 - learningRate * weightDecay, steps);
        for (int i = 0; i < 4; i++) {
            double g = gradScale * gradient[i];
            double stepLength = learningRate * g / (Math.abs(g) + epsilon);
            double expected = start[i] * kept - stepLength * (1 - kept) / (learningRate * weightDecay);
            Doubles.assertClose("w", w.get(i), expected);
            Doubles.assertClose("m", m.get(i), g * (1 - Math.pow(0.9, steps)));
            Doubles.assertClose("v", v.get(i), g * g * (1 - Math.pow(0.99, steps)));
        }
    }

    /**
     * Two steps by hand, without decay and ε: β₁ = 1/2, β₂ = 3/4, gradients 1 then −2. First m̂ = v̂ = 1: w falls by lr. Then m = −3/4,
     * m̂ = −1, v = 19/16, v̂ = 19/7: w rises by lr·√(7/19).
     */
    @Test
    void twoStepsByHand() {
        Tensor w = Doubles.of(new double[] {3}, 1);
        Tensor m = Doubles.of(new double[1], 1);
        Tensor v = Doubles.of(new double[1], 1);
        AdamW settings = new AdamW(0.5, 0.75, 0);
        backend.adamW(w, m, v, Doubles.of(new double[] {1}, 1), settings, 0.1, 0, 1, 1);
        Doubles.assertClose("first", w.get(0), 2.9);
        backend.adamW(w, m, v, Doubles.of(new double[] {-2}, 1), settings, 0.1, 0, 1, 2);
        Doubles.assertClose("m", m.get(0), -0.75);
        Doubles.assertClose("v", v.get(0), 19.0 / 16);
        Doubles.assertClose("second", w.get(0), 2.9 + 0.1 * Math.sqrt(7.0 / 19));
    }

    /** Gradients whose squares grow: the moments are the weighted sums of all past gradients. */
    @Test
    void momentsAreWeightedSums() {
        Random random = new Random(8);
        double[] gradients = random.doubles(7, -3, 3).toArray();
        Tensor w = Doubles.of(new double[] {1}, 1);
        Tensor m = Doubles.of(new double[1], 1);
        Tensor v = Doubles.of(new double[1], 1);
        double first = 0;
        double second = 0;
        for (int i = 0; i < gradients.length; i++) {
            backend.adamW(w, m, v, Doubles.of(new double[] {gradients[i]}, 1), AdamW.DEFAULT, 1e-3, 0.1, 1, i + 1);
            double age = gradients.length - 1 - i;
            first += 0.1 * Math.pow(0.9, age) * gradients[i];
            second += 0.001 * Math.pow(0.999, age) * gradients[i] * gradients[i];
        }
        Doubles.assertClose("m", m.get(0), first);
        Doubles.assertClose("v", v.get(0), second);
    }

    @ParameterizedTest
    @MethodSource("oracle")
    void pytorch(Oracle oracle) {
        Tensor w = oracle.tensor("start");
        Tensor m = oracle.zero("m");
        Tensor v = oracle.zero("v");
        Tensor gradients = oracle.tensor("gradients");
        Tensor weights = oracle.tensor("weights");
        AdamW settings = new AdamW(oracle.number("beta1"), oracle.number("beta2"), oracle.number("epsilon"));
        for (int step = 0; step < gradients.dim(0); step++) {
            Tensor gradient = gradients.rows(step, 1);
            // As clip_grad_norm_ scales: that it is what scales is in the numbers.
            double clip = Math.min(1, oracle.number("maxNorm") / (Math.sqrt(backend.sumOfSquares(gradient)) + 1e-6));
            backend.adamW(
                    w,
                    m,
                    v,
                    gradient.view(w.size()),
                    settings,
                    oracle.number("learningRate"),
                    oracle.number("weightDecay"),
                    clip,
                    step + 1);
            Doubles.assertClose("weights after step " + (step + 1), w, weights.rows(step, 1));
        }
        oracle.check("m", m);
        oracle.check("v", v);
    }

    static Iterable<Oracle> oracle() {
        return Oracle.cases("AdamW");
    }
}
