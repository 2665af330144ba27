package org.calm4j.calm.metric;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import org.calm4j.calm.data.Prediction;
import org.junit.jupiter.api.Test;

class CalibrationTest {
    private static Prediction line(String prediction, Double confidence) {
        return new Prediction("q", "en", "A", prediction, null, confidence);
    }

    @Test
    void errorsByHand() {
        // Two bins: (0.4, 0.5] has 0.5 twice, one right; (0.9, 1] has 1, 1 and 0.95, one wrong.
        Calibration calibration = Calibration.of(List.of(
                line("A", 0.5),
                line("B", 0.5),
                line("A", 1.0),
                line("B", 1.0),
                line("A", 0.95),
                line("A", null),
                line(null, 0.3),
                new Prediction("q", "en", null, "A", null, 0.2)));
        assertThat(calibration.n()).isEqualTo(5);
        assertThat(calibration.bins()).hasSize(2);
        assertThat(calibration.bins().getLast().accuracy()).isEqualTo(2 / 3.0);
        assertThat(calibration.ece()).isCloseTo((0 * 2 + Math.abs(2 / 3.0 - 2.95 / 3) * 3) / 5, within(1e-15));
        assertThat(calibration.brier()).isCloseTo((0.25 + 0.25 + 0 + 1 + 0.0025) / 5, within(1e-15));
        assertThat(Calibration.of(List.of(line("A", null)))).isNull();
    }

    @Test
    void consistencyAmongCorrectByHand() {
        // en and de: q1 both right, q2 and q3 one of them, q4 none.
        Evaluation evaluation = Evaluation.of(
                List.of(
                        of("q1", "en", "A"),
                        of("q1", "de", "A"),
                        of("q2", "en", "A"),
                        of("q2", "de", "B"),
                        of("q3", "en", null),
                        of("q3", "de", "A"),
                        of("q4", "en", "B"),
                        of("q4", "de", "B")),
                1);
        assertThat(evaluation.consistencyCorrect()).isEqualTo(1 / 3.0);
        assertThat(evaluation.unanswered()).isEqualTo(1 / 8.0);
        assertThat(evaluation.calibration()).isNull();
        assertThat(Evaluation.of(List.of(of("q", "en", "B"), of("q", "de", "B")), 1)
                        .consistencyCorrect())
                .isNull();
    }

    private static Prediction of(String id, String language, String prediction) {
        return new Prediction(id, language, "A", prediction);
    }
}
