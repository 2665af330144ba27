package org.calm4j.calm.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.calm4j.calm.metric.Comparison;
import org.junit.jupiter.api.Test;

class LanguageGradientsTest {
    private static final double FINE = 1e-12;

    private static Map<String, Double> row(int step, Object... more) {
        Map<String, Double> row = new LinkedHashMap<>(Map.of("step", (double) step, "loss", 1.0));
        for (int i = 0; i < more.length; i += 2) {
            row.put("inspect/" + more[i], (Double) more[i + 1]);
        }
        return row;
    }

    @Test
    void aMeasuredStepCountsOnce() {
        List<Map<String, Double>> rows = new ArrayList<>();
        for (int step = 1; step <= 8; step++) {
            rows.add(row(step));
        }
        rows.set(0, row(1, "gradient_cosine/de_en", 0.25, "gradient_cosine/de_fr", 0.5, "margins/de", 2.0));
        rows.set(1, row(2, "gradient_cosine/de_en", 0.4));
        rows.set(3, row(4, "gradient_cosine/en_fr", -0.5));
        rows.set(5, row(6, "gradient_cosine/de_en", 0.9));
        rows.set(6, row(7, "gradient_cosine/de_fr", 0.7));
        LanguageGradients found = LanguageGradients.of(new TrainingLog("dpo", rows));
        assertThat(found.measured())
                .extracting(LanguageGradients.Measured::step)
                .containsExactly(1, 2, 4, 6, 7);
        assertThat(found.measured().getFirst().margins()).containsExactly(Map.entry("de", 2.0));
        assertThat(found.all().mean()).isCloseTo((0.375 + 0.4 - 0.5 + 0.9 + 0.7) / 5, within(FINE));
        assertThat(found.first().values()).containsExactly(0.375, 0.4);
        assertThat(found.last().values()).containsExactly(0.7);
        assertThat(found.change().difference()).isCloseTo(0.7 - 0.3875, within(FINE));
        assertThat(found.change().interval()).isNull();
        assertThat(found.pairs())
                .containsExactly(
                        new LanguageGradients.PairOfLanguages("de_en", 3, (0.25 + 0.4 + 0.9) / 3, 0.325, null),
                        new LanguageGradients.PairOfLanguages("de_fr", 2, 0.6, 0.5, 0.7),
                        new LanguageGradients.PairOfLanguages("en_fr", 1, -0.5, null, null));
        assertThat(LanguageGradients.of(new TrainingLog("dpo", List.of(row(1), row(2)))))
                .isNull();
    }

    /** Against scipy.stats.ttest_ind(after, before, equal_var=False).confidence_interval(0.95). */
    @Test
    void theIntervalOfAChangeIsWelchs() {
        Comparison.Change change = LanguageGradients.change(List.of(0.30, 0.25, 0.28, 0.21), List.of(0.10, 0.18, 0.05));
        assertThat(change.difference()).isCloseTo(-0.15, within(FINE));
        assertThat(change.interval().low()).isCloseTo(-0.2839921867079994, within(1e-8));
        assertThat(change.interval().high()).isCloseTo(-0.016007813292000656, within(1e-8));
    }
}
