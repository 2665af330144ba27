package org.calm4j.calm.metric;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Offset.offset;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.calm4j.calm.data.Prediction;
import org.junit.jupiter.api.Test;

class SeedSummaryTest {
    /** Ten questions in two languages; the first so many are answered right, the others wrong. */
    private static List<Prediction> predictions(int right) {
        List<Prediction> predictions = new ArrayList<>();
        for (int q = 0; q < 10; q++) {
            for (String language : List.of("en", "fr")) {
                predictions.add(new Prediction("q" + q, language, "A", q < right ? "A" : "B"));
            }
        }
        return predictions;
    }

    private static List<Evaluation> evaluations(int... right) {
        List<Evaluation> evaluations = new ArrayList<>();
        for (int each : right) {
            evaluations.add(Evaluation.of(predictions(each), 1));
        }
        return evaluations;
    }

    /** Student's t by hand: with two degrees of freedom its quantile is 4.302653 and p = 1 − t/√(2 + t²). */
    @Test
    void meanDeviationIntervalAndTest() {
        List<Comparison> against = new ArrayList<>();
        int[] before = {5, 5, 5};
        int[] after = {6, 7, 8};
        for (int i = 0; i < 3; i++) {
            against.add(Comparison.of(predictions(before[i]), predictions(after[i]), 1));
        }
        SeedSummary summary = SeedSummary.of(Map.of("after", evaluations(6, 7, 8)), Map.of("before", against));
        SeedSummary.Spread accuracy = summary.models().get("after").accuracyMean();
        assertThat(accuracy.mean()).isEqualTo(0.7, offset(1e-12));
        assertThat(accuracy.deviation()).isEqualTo(0.1, offset(1e-12));
        assertThat(accuracy.interval().low()).isEqualTo(0.7 - 4.302653 * 0.1 / Math.sqrt(3), offset(1e-6));
        assertThat(accuracy.interval().high()).isEqualTo(0.7 + 4.302653 * 0.1 / Math.sqrt(3), offset(1e-6));
        SeedSummary.Gain gain = summary.against().get("before").accuracyMean();
        assertThat(gain.difference().mean()).isEqualTo(0.2, offset(1e-12));
        assertThat(gain.pValue()).isEqualTo(1 - Math.sqrt(12) / Math.sqrt(14), offset(1e-9));
        assertThat(gain.seeds())
                .extracting(Comparison.Change::difference)
                .containsExactly(
                        against.get(0).accuracyMean().difference(),
                        against.get(1).accuracyMean().difference(),
                        against.get(2).accuracyMean().difference());
        // All answers agree, right or wrong: no consistency is gained, and nothing is there to test.
        assertThat(summary.against().get("before").consistency().difference().mean())
                .isZero();
        assertThat(summary.against().get("before").consistency().pValue()).isNull();
    }

    @Test
    void oneSeedHasNoDeviation() {
        SeedSummary.Spread accuracy = SeedSummary.of(Map.of("after", evaluations(6)), Map.of())
                .models()
                .get("after")
                .accuracyMean();
        assertThat(accuracy).isEqualTo(new SeedSummary.Spread(0.6, null, null, List.of(0.6)));
    }

    @Test
    void aFigureThatASeedLacksIsNone() {
        Evaluation unlabelled =
                Evaluation.of(List.of(new Prediction("q", "en", null, "A"), new Prediction("q", "fr", null, "A")), 1);
        SeedSummary.Figures figures = SeedSummary.of(
                        Map.of("after", List.of(evaluations(6).getFirst(), unlabelled)), Map.of())
                .models()
                .get("after");
        assertThat(figures.accuracyMean()).isNull();
        assertThat(figures.consistency().mean()).isEqualTo(1);
    }
}
