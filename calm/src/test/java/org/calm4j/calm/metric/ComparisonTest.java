package org.calm4j.calm.metric;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.assertj.core.api.Assertions.withinPercentage;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.MathContext;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.calm4j.calm.data.Prediction;
import org.calm4j.engine.CalmException;
import org.junit.jupiter.api.Test;

class ComparisonTest {
    @Test
    void testsFlipsExactly() {
        // Twice P(X ≤ k) of a fair coin: 2 of 10 is 2 (1 + 10 + 45) / 1024, 0 of 5 is 2 / 32; an even split is 1, not
        // more.
        assertThat(Comparison.Flips.of(8, 2).pValue()).isCloseTo(112 / 1024.0, within(1e-12));
        assertThat(Comparison.Flips.of(0, 5).pValue()).isCloseTo(0.0625, within(1e-12));
        assertThat(Comparison.Flips.of(4, 4).pValue()).isEqualTo(1);
        assertThat(Comparison.Flips.of(0, 0).pValue()).isEqualTo(1);
    }

    @Test
    void smallProbabilitiesAreExactToo() {
        for (int[] flips : new int[][] {{84, 5}, {105, 9}, {91, 19}, {2, 40}, {61, 60}, {700, 300}}) {
            int n = flips[0] + flips[1];
            BigInteger term = BigInteger.ONE;
            BigInteger tail = BigInteger.ZERO;
            for (int k = 0; k <= Math.min(flips[0], flips[1]); k++) {
                tail = tail.add(term);
                term = term.multiply(BigInteger.valueOf(n - k)).divide(BigInteger.valueOf(k + 1));
            }
            double exact = Math.min(
                    1,
                    new BigDecimal(tail.shiftLeft(1))
                            .divide(new BigDecimal(BigInteger.TWO.pow(n)), MathContext.DECIMAL128)
                            .doubleValue());
            assertThat(Comparison.Flips.of(flips[0], flips[1]).pValue()).isCloseTo(exact, withinPercentage(1e-9));
        }
        assertThat(Comparison.Flips.of(91, 19).pValue()).isCloseTo(1.86757e-12, withinPercentage(1e-3));
        assertThat(Comparison.Flips.of(84, 5).chance()).isEqualTo("p < 0.001");
        assertThat(Comparison.Flips.of(8, 2).chance()).isEqualTo("p = 0.11");
    }

    @Test
    void countsFlipsAndDifferencesInAnyOrderOfLines() {
        List<Prediction> before = EvaluationTest.PREDICTIONS;
        List<Prediction> after = new ArrayList<>(before.stream()
                .map(each -> each.language().equals("de")
                        ? EvaluationTest.line(each.id(), "de", each.id().equals("q1") ? "B" : "A")
                        : each)
                .toList());
        Collections.reverse(after);
        Comparison comparison = Comparison.of(before, after, 1);
        assertThat(comparison.flips().get("de")).isEqualTo(Comparison.Flips.of(3, 1));
        assertThat(comparison.flips().get("en")).isEqualTo(Comparison.Flips.of(0, 0));
        assertThat(comparison.accuracyMean().difference())
                .isCloseTo(
                        Evaluation.of(after, 1).accuracyMean()
                                - Evaluation.of(before, 1).accuracyMean(),
                        within(1e-15));
        assertThat(comparison.consistency().difference())
                .isCloseTo(
                        Evaluation.of(after, 1).consistency()
                                - Evaluation.of(before, 1).consistency(),
                        within(1e-15));
    }

    @Test
    void pairsTheResamples() {
        // The same answers twice: every resample's difference is exactly zero, however wide each interval is; what is
        // left is what 100
        // questions without a change do not rule out.
        List<Prediction> predictions = EvaluationTest.random(100, List.of("en", "de"), 0.5, 2);
        Comparison comparison = Comparison.of(predictions, predictions, 1);
        double others = Interval.wilson(0, 100).high();
        assertThat(comparison.accuracyMean()).isEqualTo(new Comparison.Change(0, new Interval(-others, others)));
        assertThat(comparison.consistency().interval()).isEqualTo(new Interval(-others, others));
    }

    @Test
    void refusesOtherQuestions() {
        List<Prediction> one = List.of(EvaluationTest.line("q1", "en", "A"));
        List<Prediction> two = List.of(EvaluationTest.line("q1", "en", "A"), EvaluationTest.line("q2", "en", "A"));
        assertThatThrownBy(() -> Comparison.of(two, one, 1))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("q2");
        assertThatThrownBy(() -> Comparison.of(one, two, 1))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("q2");
    }
}
