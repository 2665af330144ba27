package org.calm4j.engine.loss;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
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
        assertThat(cases).hasSize(PreferenceLoss.ALL.size() * 2 * 3 + 12 * 5 * 2);
        for (JsonNode each : cases) {
            PreferenceLoss loss = PreferenceLoss.of(
                    List.of(each.required("loss_type").textValue()),
                    List.of(),
                    new LossParameters(
                            each.required("beta").doubleValue(),
                            each.required("label_smoothing").doubleValue(),
                            new Divergence(
                                    Divergence.Kind.valueOf(each.required("f_divergence_type")
                                            .textValue()
                                            .toUpperCase(Locale.ROOT)),
                                    each.required("f_alpha_divergence_coef").doubleValue()),
                            each.required("discopop_tau").doubleValue(),
                            each.required("simpo_gamma").doubleValue(),
                            each.required("cpo_alpha").doubleValue(),
                            false));
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
            assertThat(value.dChosen() + value.dLikelihood())
                    .as("%s", each)
                    .isCloseTo(number(each, "gradient", 0), within(1e-12));
            assertThat(value.dRejected()).as("%s", each).isCloseTo(number(each, "gradient", 1), within(1e-12));
        }
    }

    /** Losses that sort a step's pairs; the loss of a batch is the sum of its pairs' values. */
    @Test
    void transportAgreesWithPyTorch() throws IOException {
        JsonNode cases = oracle().required("transport");
        assertThat(cases).hasSize(4);
        for (JsonNode each : cases) {
            List<PreferenceLoss.Pair> pairs = new ArrayList<>();
            for (int i = 0; i < each.required("logps").size(); i++) {
                JsonNode logps = each.required("logps").get(i);
                JsonNode reference = each.required("reference").get(i);
                pairs.add(new PreferenceLoss.Pair(
                        logps.get(0).doubleValue(),
                        logps.get(1).doubleValue(),
                        reference.get(0).doubleValue(),
                        reference.get(1).doubleValue(),
                        3,
                        2));
            }
            List<PreferenceLoss.Value> values = PreferenceLoss.of(
                            List.of(each.required("loss_type").textValue()),
                            List.of(),
                            LossParameters.of(
                                    each.required("beta").doubleValue(),
                                    each.required("label_smoothing").doubleValue()))
                    .of(pairs);
            assertThat(values.stream().mapToDouble(PreferenceLoss.Value::loss).sum())
                    .as("%s", each)
                    .isCloseTo(each.required("loss").doubleValue(), within(1e-12));
            for (int i = 0; i < values.size(); i++) {
                JsonNode gradient = each.required("gradient").get(i);
                assertThat(values.get(i).dChosen())
                        .as("%s", each)
                        .isCloseTo(gradient.get(0).doubleValue(), within(1e-12));
                assertThat(values.get(i).dRejected())
                        .as("%s", each)
                        .isCloseTo(gradient.get(1).doubleValue(), within(1e-12));
            }
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
                new PreferenceLoss.ApoDown(0.3, Divergence.REVERSE_KL),
                new PreferenceLoss.ApoDown(0.3, new Divergence(Divergence.Kind.JS_DIVERGENCE, 0)),
                new PreferenceLoss.ChosenNll(),
                new PreferenceLoss.Exo(0.3, 0.01),
                new PreferenceLoss.Bco(0.3),
                new PreferenceLoss.DiscoPop(0.3, 0.05),
                new PreferenceLoss.SigmoidNorm(0.3),
                new PreferenceLoss.SimPo(2, 0.1, 0.5),
                new PreferenceLoss.Cpo(0.3, 0.1),
                new PreferenceLoss.Orpo(0.3),
                new PreferenceLoss.Aot(0.3, 0.1, true),
                new PreferenceLoss.Aot(0.3, 0.1, false),
                scored(Divergence.Kind.FORWARD_KL, 0),
                scored(Divergence.Kind.JS_DIVERGENCE, 0),
                scored(Divergence.Kind.ALPHA_DIVERGENCE, 0.5),
                scored(Divergence.Kind.ALPHA_DIVERGENCE, 1),
                scored(Divergence.Kind.ALPHA_DIVERGENCE, 1.7),
                PreferenceLoss.of(List.of("sigmoid", "sft"), List.of(1.0, 0.5), LossParameters.of(0.3, 0)))) {
            double h = 1e-5;
            double chosen =
                    (loss.of(shifted(h, 0)).loss() - loss.of(shifted(-h, 0)).loss()) / (2 * h);
            double rejected =
                    (loss.of(shifted(0, h)).loss() - loss.of(shifted(0, -h)).loss()) / (2 * h);
            assertThat(loss.of(PAIR).dChosen() + loss.of(PAIR).dLikelihood())
                    .as("%s", loss)
                    .isCloseTo(chosen, within(1e-9));
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

    /** The weight has no bound and is no part of the gradient. */
    @Test
    void weightingScalesAPairByHowLikelyThePolicyIsToWriteIt() {
        var parameters = new LossParameters(0.3, 0, Divergence.REVERSE_KL, 0.05, 0.5, null, true);
        PreferenceLoss weighted = PreferenceLoss.of(List.of("sigmoid"), List.of(), parameters);
        PreferenceLoss.Value plain = new PreferenceLoss.DpoSigmoid(0.3, 0).of(PAIR);
        for (double onPolicy : new double[] {-1.5, 0.2}) {
            var pair = new PreferenceLoss.Pair(-3.25, -4.5, -3.5, -4.125, 3, 2, -3.25, onPolicy);
            double weight = Math.exp(onPolicy);
            assertThat(weighted.of(pair).loss()).isEqualTo(weight * plain.loss());
            assertThat(weighted.of(pair).dChosen()).isEqualTo(weight * plain.dChosen());
            assertThat(weighted.of(pair).dRejected()).isEqualTo(weight * plain.dRejected());
        }
    }

    private static PreferenceLoss scored(Divergence.Kind kind, double alpha) {
        return new PreferenceLoss.OfScores(new PreferenceLoss.Nca(0.3), new Divergence(kind, alpha));
    }

    /** Where a factor alone would be 0, infinite or neither. */
    @Test
    void extremesHaveAFiniteGradient() {
        var bad = new PreferenceLoss.Pair(-1e6, 0, 0, -1e6, 3, 3);
        PreferenceLoss.Value disco = new PreferenceLoss.DiscoPop(0.1, 0.05).of(bad);
        assertThat(disco.loss()).isEqualTo(2e5);
        assertThat(disco.dChosen()).isEqualTo(-0.1);
        // A completion of probability 1, beside one of 0: all that is left is the likelihood.
        PreferenceLoss.Value sure = new PreferenceLoss.Orpo(0.1).of(new PreferenceLoss.Pair(0, -1e4, 0, 0, 2, 2));
        assertThat(sure.loss()).isCloseTo(0, within(1e-7));
        assertThat(sure.dChosen()).isEqualTo(-0.5);
        assertThat(sure.dRejected()).isEqualTo(0);
        // TRL's bound on exponents of the α-divergence.
        PreferenceLoss.Value held = new PreferenceLoss.OfScores(
                        new PreferenceLoss.DpoSigmoid(0.1, 0), new Divergence(Divergence.Kind.ALPHA_DIVERGENCE, 2))
                .of(new PreferenceLoss.Pair(0, 0, -81, 0, 3, 3));
        assertThat(held.dChosen()).isEqualTo(0);
    }

    @Test
    void unknownNamesAreWrongUsage() {
        assertThatThrownBy(() -> PreferenceLoss.of(List.of("sigmod"), List.of(), LossParameters.of(0.1, 0)))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("sigmod")
                .hasMessageContaining("sigmoid, sft");
        assertThatThrownBy(() -> PreferenceLoss.of(List.of("sigmoid"), List.of(1.0, 2.0), LossParameters.of(0.1, 0)))
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
