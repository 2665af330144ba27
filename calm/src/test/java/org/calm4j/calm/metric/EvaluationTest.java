package org.calm4j.calm.metric;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.assertj.core.api.Assertions.withinPercentage;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.calm4j.calm.data.Prediction;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.random.CounterRandom;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

class EvaluationTest {
    // Truth A everywhere. q1: A A B; q2: A - A; q3: B B B; q4: - - and no Japanese line at all.
    static final List<Prediction> PREDICTIONS = List.of(
            line("q1", "en", "A"),
            line("q1", "de", "A"),
            line("q1", "ja", "B"),
            line("q2", "en", "A"),
            line("q2", "de", null),
            line("q2", "ja", "A"),
            line("q3", "en", "B"),
            line("q3", "de", "B"),
            line("q3", "ja", "B"),
            line("q4", "en", null),
            line("q4", "de", null));

    static Prediction line(String id, String language, String prediction) {
        return new Prediction(id, language, "A", prediction);
    }

    @Test
    void countsByHand() {
        Evaluation evaluation = Evaluation.of(PREDICTIONS, 1);
        assertThat(evaluation.n()).isEqualTo(4);
        assertThat(evaluation.accuracy())
                .containsEntry("en", 0.5)
                .containsEntry("de", 0.25)
                .containsEntry("ja", 1 / 3.0);
        assertThat(evaluation.accuracyMean()).isCloseTo((0.5 + 0.25 + 1 / 3.0) / 3, within(1e-15));
        // q1 1/3, q2 1/3, q3 3/3, q4 0: two missing answers don't agree with each other.
        assertThat(evaluation.consistency()).isCloseTo((1 / 3.0 + 1 / 3.0 + 1) / 4, within(1e-15));
        assertThat(evaluation.consistencyRight()).isCloseTo((1 / 3.0 + 1 / 3.0) / 4, within(1e-15));
        assertThat(evaluation.pairwise().get("en").get("de")).isEqualTo(0.5);
        assertThat(evaluation.pairwise().get("ja").get("en")).isEqualTo(0.5);
        assertThat(evaluation.pairwise().get("de").get("ja")).isEqualTo(0.25);
        assertThat(evaluation.invalid())
                .containsEntry("en", 0.25)
                .containsEntry("de", 0.5)
                .containsEntry("ja", 0.0);
        assertThat(evaluation.languages().get("ja")).isEqualTo(new Evaluation.Counts(3, 3, 1, 0));
        assertThat(evaluation.contradictory()).isNull();
    }

    @Test
    void isTheMeanOfThePairwiseMatrix() {
        Evaluation evaluation = Evaluation.of(random(200, List.of("en", "fr", "de", "it"), 0.6), 1);
        double sum = 0;
        for (String a : evaluation.pairwise().keySet()) {
            for (String b : evaluation.pairwise().keySet()) {
                sum += a.equals(b) ? 0 : evaluation.pairwise().get(a).get(b);
            }
        }
        assertThat(evaluation.consistency()).isCloseTo(sum / 12, within(1e-12));
    }

    @Test
    void writesTheNamesOfTheContract() {
        JsonNode json = new JsonMapper().valueToTree(Evaluation.of(PREDICTIONS, 1));
        assertThat(json.fieldNames())
                .toIterable()
                .containsExactlyInAnyOrder(
                        "n",
                        "accuracy",
                        "accuracy_mean",
                        "consistency",
                        "consistency_right",
                        "consistency_correct",
                        "confidence_intervals",
                        "pairwise",
                        "invalid",
                        "unanswered",
                        "languages");
        JsonNode intervals = json.get("confidence_intervals");
        assertThat(intervals.get("level").asDouble()).isEqualTo(0.95);
        assertThat(intervals.get("accuracy").get("en")).hasSize(2);
        assertThat(intervals.get("accuracy_mean").get(0).asDouble())
                .isLessThan(intervals.get("accuracy_mean").get(1).asDouble());
        assertThat(intervals.get("consistency")).hasSize(2);
    }

    @Test
    void comesBackFromJson() throws Exception {
        JsonMapper json = new JsonMapper();
        Evaluation evaluation = Evaluation.of(PREDICTIONS, 1).withRankc(0.75);
        assertThat(json.readValue(json.writeValueAsString(evaluation), Evaluation.class))
                .isEqualTo(evaluation);
    }

    @Test
    void doesWithoutTruthAndWithOneLanguage() {
        Evaluation unknown =
                Evaluation.of(List.of(new Prediction("q", "en", null, "A"), new Prediction("q", "de", null, "A")), 1);
        assertThat(unknown.accuracy()).isEmpty();
        assertThat(unknown.accuracyMean()).isNull();
        assertThat(unknown.consistency()).isEqualTo(1);
        Evaluation single = Evaluation.of(List.of(line("q", "en", "A")), 1);
        assertThat(single.consistency()).isNull();
        assertThat(single.accuracyMean()).isEqualTo(1);
    }

    @Test
    void countsTruthsThatContradictEachOther() {
        Evaluation evaluation = Evaluation.of(List.of(line("q", "en", "A"), new Prediction("q", "de", "B", "B")), 1);
        assertThat(evaluation.contradictory()).isEqualTo(1);
    }

    @Test
    void refusesDuplicatesAndNothing() {
        assertThatThrownBy(() -> Evaluation.of(List.of(line("q9", "en", "A"), line("q9", "en", "B")), 1))
                .isInstanceOfSatisfying(
                        CalmException.class, e -> assertThat(e.kind()).isEqualTo(CalmException.Kind.BAD_INPUT))
                .hasMessageContaining("q9")
                .hasMessageContaining("'en'");
        assertThatThrownBy(() -> Evaluation.of(List.of(), 1)).isInstanceOf(CalmException.class);
    }

    // Questions are independent, the languages of one question fully dependent: the interval must not shrink with more
    // languages.
    @Test
    void clustersTheBootstrapByQuestion() {
        List<Prediction> predictions = new ArrayList<>();
        for (int q = 0; q < 100; q++) {
            for (String language : List.of("en", "fr", "de", "it")) {
                predictions.add(line("q" + q, language, q < 50 ? "A" : "B"));
            }
        }
        Interval interval = Evaluation.of(predictions, 3).intervals().accuracyMean();
        double expected = 2 * 1.96 * Math.sqrt(0.25 / 100);
        assertThat(interval.high() - interval.low()).isCloseTo(expected, within(0.25 * expected));
    }

    // Three questions about one fact, all answered alike: as many intervals as if there were one.
    @Test
    void questionsOfOneGroupCountAsOne() {
        List<Prediction> thrice = new ArrayList<>();
        List<Prediction> once = new ArrayList<>();
        for (int q = 0; q < 120; q++) {
            for (String language : List.of("en", "fr")) {
                String said = q / 3 % 4 == 0 ? "B" : "A";
                thrice.add(new Prediction("q" + q, language, "A", said, "fact" + q / 3, null));
                if (q % 3 == 0) {
                    once.add(line("q" + q, language, said));
                }
            }
        }
        Evaluation.ConfidenceIntervals grouped = Evaluation.of(thrice, 5).intervals();
        Evaluation.ConfidenceIntervals single = Evaluation.of(once, 5).intervals();
        assertThat(grouped.accuracyMean()).isEqualTo(single.accuracyMean());
        assertThat(grouped.consistency()).isEqualTo(single.consistency());
        // Bessel's correction is all that is between them: 39 instead of 40 questions.
        assertThat(grouped.accuracy().get("en").low())
                .isCloseTo(single.accuracy().get("en").low(), within(3e-3));
        Comparison.Flips flips = Comparison.of(wrong(thrice), thrice, 5).flips().get("en");
        assertThat(flips.gained()).isEqualTo(90);
        assertThat(flips.pValue())
                .isCloseTo(Comparison.of(wrong(once), once, 5).flips().get("en").pValue(), withinPercentage(1e-9));
    }

    private static List<Prediction> wrong(List<Prediction> lines) {
        return lines.stream()
                .map(line -> new Prediction(line.id(), line.language(), "A", "B", line.group(), null))
                .toList();
    }

    // Correlated within groups: the interval that takes questions for independent covers too seldom, this one does not.
    @Tag("slow")
    @Test
    void coversTheTruthWhereQuestionsAreAlike() {
        int grouped = 0;
        int independent = 0;
        for (int run = 0; run < 200; run++) {
            List<Prediction> lines = new ArrayList<>();
            long key = CounterRandom.seed(run, "test");
            for (int fact = 0; fact < 77; fact++) {
                boolean known = CounterRandom.uniform(key, fact) < 0.7;
                for (int set = 0; set < 3; set++) {
                    lines.add(new Prediction(fact + "-" + set, "en", "A", known ? "A" : "B", "" + fact, null));
                }
            }
            List<Prediction> alone = lines.stream()
                    .map(each -> line(each.id(), "en", each.prediction()))
                    .toList();
            grouped += covers(lines) ? 1 : 0;
            independent += covers(alone) ? 1 : 0;
        }
        assertThat(grouped).isBetween(184, 198);
        assertThat(independent).isLessThan(165);
    }

    private static boolean covers(List<Prediction> lines) {
        Interval interval = Evaluation.of(lines, 1).intervals().accuracy().get("en");
        return interval.low() <= 0.7 && 0.7 <= interval.high();
    }

    @Test
    void wilsonOfGroups() {
        assertThat(Interval.wilson(List.of(new int[] {1, 1}, new int[] {0, 1}, new int[] {1, 1})))
                .isEqualTo(Interval.wilson(2, 3));
        // All right: ten groups say what ten trials say. Nothing alike within groups: no better than independent ones.
        assertThat(Interval.wilson(Collections.nCopies(10, new int[] {3, 3})).low())
                .isCloseTo(Interval.wilson(10, 10).low(), within(1e-12));
        assertThat(Interval.wilson(Collections.nCopies(10, new int[] {1, 2})).low())
                .isLessThanOrEqualTo(Interval.wilson(10, 20).low());
        assertThat(Interval.wilson(List.of(new int[] {2, 3})).low())
                .isBetween(0.0, Interval.wilson(2, 3).low());
        assertThat(Interval.wilson(List.of(new int[2]))).isNull();
    }

    @Test
    void repeatsWithTheSeedAndCoversTheTruth() {
        assertThat(Evaluation.of(PREDICTIONS, 7)).isEqualTo(Evaluation.of(PREDICTIONS, 7));
        int covered = 0;
        for (int run = 0; run < 40; run++) {
            Interval interval = Evaluation.of(random(150, List.of("en", "fr", "de"), 0.6, run), run)
                    .intervals()
                    .accuracyMean();
            covered += interval.low() <= 0.6 && 0.6 <= interval.high() ? 1 : 0;
        }
        assertThat(covered).isBetween(34, 40);
    }

    @Test
    void wilsonAsPublished() {
        // Newcombe 1998, table I, method 3: 81/263 gives 0.2553 to 0.3662; 0/20 gives 0 to 0.1611; 1/29 gives 0.0061 to
        // 0.1718.
        assertThat(Interval.wilson(81, 263).low()).isCloseTo(0.2553, within(5e-5));
        assertThat(Interval.wilson(81, 263).high()).isCloseTo(0.3662, within(5e-5));
        assertThat(Interval.wilson(0, 20)).satisfies(zero -> {
            assertThat(zero.low()).isZero();
            assertThat(zero.high()).isCloseTo(0.1611, within(5e-5));
        });
        assertThat(Interval.wilson(1, 29).low()).isCloseTo(0.0061, within(5e-5));
        assertThat(Interval.wilson(1, 29).high()).isCloseTo(0.1718, within(5e-5));
        assertThat(Interval.wilson(0, 0)).isNull();
    }

    private static List<Prediction> random(int questions, List<String> languages, double accuracy) {
        return random(questions, languages, accuracy, 0);
    }

    static List<Prediction> random(int questions, List<String> languages, double accuracy, long seed) {
        List<Prediction> predictions = new ArrayList<>();
        long key = CounterRandom.seed(seed, "test");
        for (int q = 0; q < questions; q++) {
            for (String language : languages) {
                boolean right = CounterRandom.uniform(key, predictions.size()) < accuracy;
                predictions.add(line("q" + q, language, right ? "A" : q % 7 == 0 ? null : "B"));
            }
        }
        return predictions;
    }
}
