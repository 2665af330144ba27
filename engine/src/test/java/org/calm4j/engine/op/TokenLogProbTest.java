package org.calm4j.engine.op;

import static org.assertj.core.api.Assertions.assertThat;

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

final class TokenLogProbTest {
    private final Backend backend = new ScalarBackend(DType.F64);
    private final Random random = new Random(7);

    /** Inputs, outputs and gradients; what is to be set starts as NaN, dW as zero. */
    private final class Case {
        final Tensor x;
        final Tensor w;
        final Tensor target;
        final Tensor coefficient;
        final Tensor logProb;
        final Tensor lse;
        final Tensor dX;
        final Tensor dW;

        Case(int n, int vocabulary, int c) {
            x = Doubles.random(random, 1.5, n, c);
            w = Doubles.random(random, 1.5, vocabulary, c);
            target = Doubles.indices(random.ints(n, 0, vocabulary).toArray());
            coefficient = Doubles.random(random, 1, n);
            logProb = Doubles.unset(n);
            lse = Doubles.unset(n);
            dX = Doubles.unset(n, c);
            dW = Doubles.of(new double[vocabulary * c], vocabulary, c);
            forward();
            backend.tokenLogProbBackward(dX, dW, coefficient, x, w, target, Doubles.copy(lse), null, true);
        }

        void forward() {
            backend.tokenLogProbForward(logProb, lse, null, x, w, target, null);
        }
    }

    @ParameterizedTest
    @CsvSource({"1,2,1", "3,5,4", "4,11,3"})
    void finiteDifferences(int n, int vocabulary, int c) {
        Case all = new Case(n, vocabulary, c);
        DoubleSupplier objective = () -> {
            all.forward();
            return Doubles.dot(all.coefficient, all.logProb);
        };
        FiniteDifferences.check("dX", all.x, all.dX, objective);
        FiniteDifferences.check("dW", all.w, all.dW, objective);
    }

    /** ⟨coefficient, J·(u,z)⟩ = ⟨dX, u⟩ + ⟨dW, z⟩, with J·(u,z) by automatic differentiation of {@code −log Σᵥ exp((wᵥ − w_target)·x)}. */
    @Test
    void adjointIdentity() {
        int n = 3;
        int vocabulary = 6;
        int c = 4;
        Case all = new Case(n, vocabulary, c);
        Tensor u = Doubles.random(random, 1, n, c);
        Tensor z = Doubles.random(random, 1, vocabulary, c);
        double product = 0;
        for (int row = 0; row < n; row++) {
            DerivativeStructure sum = new DerivativeStructure(1, 1, 0);
            for (int i = 0; i < vocabulary; i++) {
                DerivativeStructure logit = new DerivativeStructure(1, 1, 0);
                for (int j = 0; j < c; j++) {
                    DerivativeStructure difference =
                            along(all.w, z, i * c + j).subtract(along(all.w, z, all.target.getInt(row) * c + j));
                    logit = logit.add(difference.multiply(along(all.x, u, row * c + j)));
                }
                sum = sum.add(logit.exp());
            }
            Doubles.assertClose("logProb", all.logProb.get(row), -Math.log(sum.getValue()));
            product -= all.coefficient.get(row) * sum.log().getPartialDerivative(1);
        }
        Doubles.assertClose("product", Doubles.dot(all.dX, u) + Doubles.dot(all.dW, z), product);
    }

    private static DerivativeStructure along(Tensor x, Tensor direction, long i) {
        return new DerivativeStructure(1, 1, x.get(i), direction.get(i));
    }

    @Test
    void probabilitiesOfAllTargetsSumToOne() {
        Tensor x = Doubles.random(random, 2, 1, 3);
        Tensor w = Doubles.random(random, 2, 5, 3);
        double sum = 0;
        for (int target = 0; target < 5; target++) {
            Tensor logProb = Doubles.unset(1);
            backend.tokenLogProbForward(logProb, Doubles.unset(1), null, x, w, Doubles.indices(target), null);
            sum += Math.exp(logProb.get(0));
        }
        Doubles.assertClose("sum", sum, 1);
    }

    /** By a second route: from the log-probabilities of all words. */
    @Test
    void statistics() {
        int words = 5;
        Tensor x = Doubles.random(random, 2, 1, 3);
        Tensor w = Doubles.random(random, 2, words, 3);
        double squares = 0;
        double entropy = 0;
        double best = Double.NEGATIVE_INFINITY;
        double logits = 0;
        double[] behind = new double[words];
        Tensor statistics = Doubles.unset(1, TokenStatistic.COUNT);
        for (int target = 0; target < words; target++) {
            Tensor logProb = Doubles.unset(1);
            Tensor lse = Doubles.unset(1);
            backend.tokenLogProbForward(logProb, lse, statistics, x, w, Doubles.indices(target), null);
            double p = Math.exp(logProb.get(0));
            squares += p * p;
            entropy -= p * Math.log(p);
            best = Math.max(best, logProb.get(0));
            logits += logProb.get(0) + lse.get(0);
            behind[target] = statistics.get(TokenStatistic.BEHIND.ordinal()) + logProb.get(0);
        }
        for (double each : behind) {
            Doubles.assertClose("behind", each, best);
        }
        Doubles.assertClose("squares", statistics.get(TokenStatistic.LOG_SUM_SQUARES.ordinal()), Math.log(squares));
        Doubles.assertClose("entropy", statistics.get(TokenStatistic.ENTROPY.ordinal()), entropy);
        Doubles.assertClose("mean", statistics.get(TokenStatistic.MEAN_LOGIT.ordinal()), logits / words);
    }

    /** Logits of a thousand: no overflow, and a certain token's log-probability keeps its digits. */
    @Test
    void largeLogits() {
        Tensor x = Doubles.of(new double[] {1}, 1, 1);
        Tensor w = Doubles.of(new double[] {1000, 960, -1000}, 3, 1);
        Tensor logProb = Doubles.unset(1);
        Tensor lse = Doubles.unset(1);
        backend.tokenLogProbForward(logProb, lse, null, x, w, Doubles.indices(1), null);
        Doubles.assertClose("logProb", logProb.get(0), -40);
        Doubles.assertClose("lse", lse.get(0), 1000);
    }

    @Test
    void addsToTheWeightsGradientAndLeavesAFrozenWeightAlone() {
        Case all = new Case(3, 5, 2);
        Tensor twice = Doubles.copy(all.dW);
        backend.tokenLogProbBackward(
                Doubles.unset(3, 2), twice, all.coefficient, all.x, all.w, all.target, all.lse, null, true);
        Doubles.assertClose("dW", twice, Doubles.plus(all.dW, all.dW));
        Tensor alone = Doubles.unset(3, 2);
        backend.tokenLogProbBackward(alone, null, all.coefficient, all.x, all.w, all.target, all.lse, null, true);
        assertThat(Doubles.array(alone)).isEqualTo(Doubles.array(all.dX));
    }

    @ParameterizedTest
    @MethodSource("oracle")
    void pytorch(Oracle oracle) {
        Tensor x = oracle.tensor("x");
        Tensor w = oracle.tensor("w");
        Tensor target = oracle.tensor("target");
        Tensor logProb = oracle.unset("logProb");
        Tensor lse = oracle.unset("lse");
        backend.tokenLogProbForward(logProb, lse, null, x, w, target, null);
        oracle.check("logProb", logProb);
        oracle.check("lse", lse);
        Tensor dX = oracle.unset("dX");
        Tensor dW = oracle.zero("dW");
        backend.tokenLogProbBackward(dX, dW, oracle.tensor("coefficient"), x, w, target, lse, null, true);
        oracle.check("dX", dX);
        oracle.check("dW", dW);
    }

    static Iterable<Oracle> oracle() {
        return Oracle.cases("TokenLogProb");
    }
}
