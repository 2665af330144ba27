package org.calm4j.engine.loss;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.InputStream;
import java.util.List;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Json;
import org.junit.jupiter.api.Test;

final class PreferenceLossTest {
    private static final PreferenceLoss.Pair PAIR = new PreferenceLoss.Pair(-3.25, -4.5, -3.5, -4.125, 3, 2);

    @Test
    void dpoStartsAtLn2() {
        var same = new PreferenceLoss.Pair(-3.25, -4.5, -3.25, -4.5, 3, 2);
        assertThat(new PreferenceLoss.DpoSigmoid(0.1, 0).of(same).loss()).isCloseTo(Math.log(2), within(1e-15));
    }

    /** torch.nn.functional.logsigmoid in float64 of 0.1 · 0.625 and of −0.1 · 0.625. */
    @Test
    void dpoAgreesWithPyTorch() {
        assertThat(new PreferenceLoss.DpoSigmoid(0.1, 0).of(PAIR).loss()).isCloseTo(0.6623853823577756, within(1e-12));
        assertThat(new PreferenceLoss.DpoSigmoid(0.1, 0.2).of(PAIR).loss())
                .isCloseTo(0.6748853823577756, within(1e-12));
    }

    /** Values and gradients that autograd found: {@code src/test/oracle/preference.py}. */
    @Test
    void everyLossAgreesWithPyTorch() throws IOException {
        JsonNode cases = oracle().required("losses");
        assertThat(cases).hasSize(9 * 2 * 3);
        for (JsonNode each : cases) {
            PreferenceLoss loss = PreferenceLoss.of(
                    List.of(each.required("loss_type").textValue()),
                    List.of(),
                    each.required("beta").doubleValue(),
                    each.required("label_smoothing").doubleValue());
            var pair = new PreferenceLoss.Pair(
                    number(each, "logps", 0),
                    number(each, "logps", 1),
                    number(each, "reference", 0),
                    number(each, "reference", 1),
                    each.required("tokens").get(0).intValue(),
                    each.required("tokens").get(1).intValue());
            PreferenceLoss.Value value = loss.of(pair);
            assertThat(value.loss())
                    .as("%s", each)
                    .isCloseTo(each.required("loss").doubleValue(), within(1e-12));
            assertThat(value.dChosen()).as("%s", each).isCloseTo(number(each, "gradient", 0), within(1e-12));
            assertThat(value.dRejected()).as("%s", each).isCloseTo(number(each, "gradient", 1), within(1e-12));
        }
    }

    static double number(JsonNode each, String name, int i) {
        return each.required(name).get(i).doubleValue();
    }

    static JsonNode oracle() throws IOException {
        try (InputStream in = PreferenceLossTest.class.getResourceAsStream("/oracle/preference.json")) {
            return Json.mapper().readTree(in);
        }
    }

    @Test
    void gradientsAgreeWithFiniteDifferences() {
        for (PreferenceLoss loss : List.of(
                new PreferenceLoss.DpoSigmoid(0.3, 0),
                new PreferenceLoss.DpoSigmoid(0.3, 0.1),
                new PreferenceLoss.Robust(0.3, 0.1),
                new PreferenceLoss.Hinge(0.3),
                new PreferenceLoss.Hinge(3),
                new PreferenceLoss.Ipo(0.3),
                new PreferenceLoss.SppoHard(0.3),
                new PreferenceLoss.Nca(0.3),
                new PreferenceLoss.ApoZero(0.3),
                new PreferenceLoss.ApoDown(0.3),
                new PreferenceLoss.ChosenNll(),
                PreferenceLoss.of(List.of("sigmoid", "sft"), List.of(1.0, 0.5), 0.3, 0))) {
            double h = 1e-5;
            double chosen =
                    (loss.of(shifted(h, 0)).loss() - loss.of(shifted(-h, 0)).loss()) / (2 * h);
            double rejected =
                    (loss.of(shifted(0, h)).loss() - loss.of(shifted(0, -h)).loss()) / (2 * h);
            assertThat(loss.of(PAIR).dChosen()).as("%s", loss).isCloseTo(chosen, within(1e-9));
            assertThat(loss.of(PAIR).dRejected()).as("%s", loss).isCloseTo(rejected, within(1e-9));
        }
    }

    /** Robust DPO is what makes conservative DPO's expectation under flipped labels the clean loss again: its definition, by a second route. */
    @Test
    void robustLossIsUnbiasedUnderFlippedLabels() {
        double share = 0.2;
        var flipped = new PreferenceLoss.Pair(
                PAIR.rejected(), PAIR.chosen(), PAIR.referenceRejected(), PAIR.referenceChosen(), 2, 3);
        PreferenceLoss robust = new PreferenceLoss.Robust(0.4, share);
        double expected = (1 - share) * robust.of(PAIR).loss()
                + share * robust.of(flipped).loss();
        assertThat(expected)
                .isCloseTo(new PreferenceLoss.DpoSigmoid(0.4, 0).of(PAIR).loss(), within(1e-12));
    }

    /** Where each loss has its minimum, by its own formula. */
    @Test
    void lossesVanishWhereTheyShould() {
        // Log-ratio per token 1/(2β) apart: a = 3·5 over 3 tokens against b = 0.
        assertThat(new PreferenceLoss.Ipo(0.1)
                        .of(new PreferenceLoss.Pair(15, 0, 0, 0, 3, 2))
                        .loss())
                .isCloseTo(0, within(1e-20));
        assertThat(new PreferenceLoss.SppoHard(0.1).of(new PreferenceLoss.Pair(5, -5, 0, 0, 3, 2)))
                .isEqualTo(new PreferenceLoss.Value(0, 0, 0));
        assertThat(new PreferenceLoss.Hinge(0.1)
                        .of(new PreferenceLoss.Pair(10, 0, 0, 0, 3, 2))
                        .loss())
                .isZero();
        // Noise contrastive alignment: σ(β·a) = 2/3 at the minimum over a.
        double a = Math.log(2) / 0.1;
        assertThat(new PreferenceLoss.Nca(0.1)
                        .of(new PreferenceLoss.Pair(a, 0, 0, 0, 3, 2))
                        .dChosen())
                .isCloseTo(0, within(1e-15));
    }

    @Test
    void hugeMarginsStayFinite() {
        var good = new PreferenceLoss.Pair(0, -1e6, -1e6, 0, 3, 3);
        var bad = new PreferenceLoss.Pair(-1e6, 0, 0, -1e6, 3, 3);
        var loss = new PreferenceLoss.DpoSigmoid(1, 0);
        assertThat(loss.of(good).loss()).isZero();
        assertThat(loss.of(good).dChosen()).isZero();
        assertThat(loss.of(bad).loss()).isEqualTo(2e6);
        assertThat(loss.of(bad).dChosen()).isEqualTo(-1);
    }

    @Test
    void unknownNamesAreWrongUsage() {
        assertThatThrownBy(() -> PreferenceLoss.of(List.of("sigmod"), List.of(), 0.1, 0))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("sigmod")
                .hasMessageContaining("sigmoid, sft");
        assertThatThrownBy(() -> PreferenceLoss.of(List.of("sigmoid"), List.of(1.0, 2.0), 0.1, 0))
                .isInstanceOf(CalmException.class);
    }

    private static PreferenceLoss.Pair shifted(double chosen, double rejected) {
        return new PreferenceLoss.Pair(
                PAIR.chosen() + chosen,
                PAIR.rejected() + rejected,
                PAIR.referenceChosen(),
                PAIR.referenceRejected(),
                PAIR.chosenTokens(),
                PAIR.rejectedTokens());
    }
}
