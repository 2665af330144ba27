package org.calm4j.engine.loss;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class UnpairedLossTest {
    /** Values and gradients that autograd found: {@code src/test/oracle/preference.py}. */
    @Test
    void agreesWithPyTorch() throws IOException {
        JsonNode cases = PreferenceLossTest.oracle().required("unpaired");
        assertThat(cases).hasSize(UnpairedLoss.ALL.size() * 3);
        for (JsonNode each : cases) {
            List<UnpairedLoss.Completion> completions = new ArrayList<>();
            double sum = 0;
            for (int i = 0; i < each.required("ratios").size(); i++) {
                double other = PreferenceLossTest.number(each, "others", i);
                sum += other;
                completions.add(new UnpairedLoss.Completion(
                        PreferenceLossTest.number(each, "ratios", i),
                        other,
                        each.required("labels").get(i).booleanValue()));
            }
            assertThat(UnpairedLoss.divergence(sum, completions.size()))
                    .isCloseTo(each.required("kl").doubleValue(), within(1e-12));
            List<PreferenceLoss.Value> values = UnpairedLoss.of(
                            each.required("loss_type").textValue(),
                            new UnpairedLoss.Parameters(
                                    each.required("beta").doubleValue(),
                                    each.required("desirable_weight").doubleValue(),
                                    each.required("undesirable_weight").doubleValue()))
                    .of(completions);
            for (int i = 0; i < values.size(); i++) {
                assertThat(values.get(i).loss())
                        .as("%s", each)
                        .isCloseTo(PreferenceLossTest.number(each, "losses", i), within(1e-12));
                assertThat(values.get(i).dChosen())
                        .as("%s", each)
                        .isCloseTo(PreferenceLossTest.number(each, "gradient", i), within(1e-12));
                assertThat(values.get(i).dRejected()).isZero();
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"kto", "apo_zero_unpaired"})
    void gradientsAgreeWithFiniteDifferences(String name) {
        UnpairedLoss loss = UnpairedLoss.of(name, new UnpairedLoss.Parameters(0.4, 1.5, 0.7));
        double h = 1e-5;
        for (boolean desirable : new boolean[] {true, false}) {
            double slope = (loss(loss, 0.8 + h, desirable) - loss(loss, 0.8 - h, desirable)) / (2 * h);
            assertThat(loss.of(step(0.8, desirable)).getFirst().dChosen()).isCloseTo(slope, within(1e-9));
        }
    }

    private static double loss(UnpairedLoss loss, double logRatio, boolean desirable) {
        return loss.of(step(logRatio, desirable)).stream()
                .mapToDouble(PreferenceLoss.Value::loss)
                .sum();
    }

    private static List<UnpairedLoss.Completion> step(double logRatio, boolean desirable) {
        return List.of(
                new UnpairedLoss.Completion(logRatio, 0.9, desirable),
                new UnpairedLoss.Completion(-0.2, 0.1, !desirable));
    }
}
