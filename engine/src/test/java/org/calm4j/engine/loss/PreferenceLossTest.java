package org.calm4j.engine.loss;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import org.calm4j.engine.CalmException;
import org.junit.jupiter.api.Test;

final class PreferenceLossTest {
    private static final PreferenceLoss.Pair PAIR = new PreferenceLoss.Pair(-3.25, -4.5, -3.5, -4.125, 3);

    @Test
    void dpoStartsAtLn2() {
        var same = new PreferenceLoss.Pair(-3.25, -4.5, -3.25, -4.5, 3);
        assertThat(new PreferenceLoss.DpoSigmoid(0.1, 0).of(same).loss()).isCloseTo(Math.log(2), within(1e-15));
    }

    /** torch.nn.functional.logsigmoid in float64 of 0.1 · 0.625 and of −0.1 · 0.625. */
    @Test
    void dpoAgreesWithPyTorch() {
        assertThat(new PreferenceLoss.DpoSigmoid(0.1, 0).of(PAIR).loss()).isCloseTo(0.6623853823577756, within(1e-12));
        assertThat(new PreferenceLoss.DpoSigmoid(0.1, 0.2).of(PAIR).loss()).isCloseTo(0.6748853823577756, within(1e-12));
    }

    @Test
    void gradientsAgreeWithFiniteDifferences() {
        for (PreferenceLoss loss : List.of(new PreferenceLoss.DpoSigmoid(0.3, 0), new PreferenceLoss.DpoSigmoid(0.3, 0.1),
                new PreferenceLoss.ChosenNll(), PreferenceLoss.of(List.of("sigmoid", "sft"), List.of(1.0, 0.5), 0.3, 0))) {
            double h = 1e-5;
            double chosen = (loss.of(shifted(h, 0)).loss() - loss.of(shifted(-h, 0)).loss()) / (2 * h);
            double rejected = (loss.of(shifted(0, h)).loss() - loss.of(shifted(0, -h)).loss()) / (2 * h);
            assertThat(loss.of(PAIR).dChosen()).as("%s", loss).isCloseTo(chosen, within(1e-9));
            assertThat(loss.of(PAIR).dRejected()).as("%s", loss).isCloseTo(rejected, within(1e-9));
        }
    }

    @Test
    void hugeMarginsStayFinite() {
        var good = new PreferenceLoss.Pair(0, -1e6, -1e6, 0, 3);
        var bad = new PreferenceLoss.Pair(-1e6, 0, 0, -1e6, 3);
        var loss = new PreferenceLoss.DpoSigmoid(1, 0);
        assertThat(loss.of(good).loss()).isZero();
        assertThat(loss.of(good).dChosen()).isZero();
        assertThat(loss.of(bad).loss()).isEqualTo(2e6);
        assertThat(loss.of(bad).dChosen()).isEqualTo(-1);
    }

    @Test
    void unknownNamesAreWrongUsage() {
        assertThatThrownBy(() -> PreferenceLoss.of(List.of("sigmod"), List.of(), 0.1, 0)).isInstanceOf(CalmException.class)
                .hasMessageContaining("sigmod").hasMessageContaining("sigmoid, sft");
        assertThatThrownBy(() -> PreferenceLoss.of(List.of("sigmoid"), List.of(1.0, 2.0), 0.1, 0)).isInstanceOf(CalmException.class);
    }

    private static PreferenceLoss.Pair shifted(double chosen, double rejected) {
        return new PreferenceLoss.Pair(PAIR.chosen() + chosen, PAIR.rejected() + rejected, PAIR.referenceChosen(), PAIR.referenceRejected(),
                PAIR.chosenTokens());
    }
}
