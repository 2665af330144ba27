package org.calm4j.engine.loss;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.util.List;
import org.calm4j.engine.CalmException;
import org.junit.jupiter.api.Test;

final class ConsistencyLossTest {
    private static PreferenceLoss.Pair pair(double[] logps, double[] reference, int language) {
        int i = 2 * language;
        return new PreferenceLoss.Pair(logps[i], logps[i + 1], reference[i], reference[i + 1], 3, 2);
    }

    private static final double[] LOGPS = {-3.25, -4.5, -2.0, -6.0};
    private static final double[] REFERENCE = {-3.5, -4.125, -2.5, -5.25};

    private static double loss(ConsistencyLoss loss, double[] logps) {
        return loss.of(pair(logps, REFERENCE, 0), pair(logps, REFERENCE, 1)).loss();
    }

    @Test
    void agreesWithPyTorch() throws IOException {
        JsonNode cases = PreferenceLossTest.oracle().required("dco");
        assertThat(cases).hasSize(12);
        for (JsonNode each : cases) {
            double[] logps = numbers(each.required("logps"));
            double[] reference = numbers(each.required("reference"));
            ConsistencyLoss.Value value = new ConsistencyLoss.DirectConsistency(
                            each.required("beta").doubleValue())
                    .of(pair(logps, reference, 0), pair(logps, reference, 1));
            assertThat(value.loss())
                    .as("%s", each)
                    .isCloseTo(each.required("loss").doubleValue(), within(1e-12));
            assertThat(new double[] {
                        value.first().dChosen(),
                        value.first().dRejected(),
                        value.second().dChosen(),
                        value.second().dRejected()
                    })
                    .as("%s", each)
                    .containsExactly(numbers(each.required("gradient")));
        }
    }

    private static double[] numbers(JsonNode list) {
        return list.valueStream().mapToDouble(JsonNode::doubleValue).toArray();
    }

    /** By hand: Δ₁ = 0.625, Δ₂ = 1.25, o₁ = 0.625, o₂ = 2.75, β = 2. */
    @Test
    void agreesWithTheFormulaByHand() {
        assertThat(loss(new ConsistencyLoss.DirectConsistency(2), LOGPS))
                .isEqualTo(Math.abs(0.625 - 1.375) + Math.abs(1.25 - 1.25));
    }

    @Test
    void gradientsAgreeWithFiniteDifferences() {
        double h = 1e-5;
        for (ConsistencyLoss loss : List.of(
                new ConsistencyLoss.DirectConsistency(1),
                new ConsistencyLoss.DirectConsistency(0.4),
                ConsistencyLoss.of(
                        List.of("dco", "sigmoid", "sft"), List.of(1.0, 0.5, 0.25), LossParameters.of(0.7, 0.1)))) {
            ConsistencyLoss.Value value = loss.of(pair(LOGPS, REFERENCE, 0), pair(LOGPS, REFERENCE, 1));
            double[] gradient = {
                value.first().dChosen() + value.first().dLikelihood(),
                value.first().dRejected(),
                value.second().dChosen() + value.second().dLikelihood(),
                value.second().dRejected()
            };
            for (int i = 0; i < 4; i++) {
                double[] up = LOGPS.clone();
                double[] down = LOGPS.clone();
                up[i] += h;
                down[i] -= h;
                assertThat(gradient[i])
                        .as("%s %s", loss, i)
                        .isCloseTo((loss(loss, up) - loss(loss, down)) / (2 * h), within(1e-9));
            }
        }
    }

    /** The policy that the paper proves optimal: each language's reference times the other's. There both languages rank alike. */
    @Test
    void vanishesAtTheProductOfBothLanguages() {
        double beta = 0.5;
        double first = REFERENCE[0] - REFERENCE[1];
        double second = REFERENCE[2] - REFERENCE[3];
        double[] optimal = {REFERENCE[0] + second / beta, REFERENCE[1], REFERENCE[2] + beta * first, REFERENCE[3]};
        assertThat(loss(new ConsistencyLoss.DirectConsistency(beta), optimal)).isCloseTo(0, within(1e-12));
        // β times the first language's log-ratio is the second one's.
        assertThat(beta * (optimal[0] - optimal[1])).isCloseTo(optimal[2] - optimal[3], within(1e-12));
    }

    @Test
    void wrongNamesAndWeightsAreWrongUsage() {
        assertThatThrownBy(() -> ConsistencyLoss.of(List.of("dco", "dcp"), List.of(), LossParameters.of(1, 0)))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("dcp");
        assertThatThrownBy(() -> ConsistencyLoss.of(List.of("dco"), List.of(1.0, 2.0), LossParameters.of(1, 0)))
                .isInstanceOf(CalmException.class);
    }
}
