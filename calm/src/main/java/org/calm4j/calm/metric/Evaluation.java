package org.calm4j.calm.metric;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.calm4j.calm.data.Prediction;

/**
 * How good and how consistent a model's answers are; the content of eval.json. Maps by language keep the order of the predictions.
 *
 * @param n questions (distinct ids)
 * @param accuracy share of the graded questions answered right, by language; a question without an answer counts as wrong. Languages
 *     without any known truth are absent
 * @param accuracyMean mean over languages; null without any known truth
 * @param consistency mean over questions of the share of language pairs whose answers are equal, where a missing answer equals nothing;
 *     null with one language
 * @param consistencyRight the part of the consistency that is agreement on the true answer; the rest is agreement on a wrong one
 * @param consistencyCorrect consistency among correct answers: of the language pairs of which one or both are right, the share in which
 *     both are (mean over pairs of languages of |both right| ÷ |either right|); null with one language or without any known truth
 * @param pairwise the same by pair of languages, both ways; a language with itself has its share of questions with an answer
 * @param invalid share of the questions asked that got no answer, by language
 * @param unanswered mean of these over languages
 * @param rankc {@link RankC}, where the choices were ranked
 * @param calibration where predictions have a confidence, as those of several samples and of ranked choices
 * @param answerLanguage share of the responses that are in the question's language, by language, where the model wrote responses and the
 *     language is one that can be told
 * @param answerLanguageMean mean over these languages
 * @param languages the counts behind the shares, by language
 * @param contradictory questions whose true labels differ between languages: their options are not parallel, so that comparing labels means
 *     nothing; null when there are none
 * @param patterns kinds of responses, by name, where they were counted; null where they were not
 * @param notLabels predictions that are not labels, and how often; they count as unanswered. Null without any
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record Evaluation(
        int n,
        Map<String, Double> accuracy,
        @JsonProperty("accuracy_mean") Double accuracyMean,
        Double consistency,
        @JsonProperty("consistency_right") Double consistencyRight,
        @JsonProperty("consistency_correct") Double consistencyCorrect,
        Double rankc,
        @JsonProperty("confidence_intervals") ConfidenceIntervals intervals,
        Map<String, Map<String, Double>> pairwise,
        Map<String, Double> invalid,
        Double unanswered,
        Calibration calibration,
        @JsonProperty("answer_language") Map<String, Double> answerLanguage,
        @JsonProperty("answer_language_mean") Double answerLanguageMean,
        Map<String, Counts> languages,
        Integer contradictory,
        @JsonProperty("not_labels") Map<String, Integer> notLabels,
        Map<String, ResponseKind> patterns) {

    /**
     * 95 % intervals: Wilson's for the accuracy of one language, a bootstrap over questions for the means over languages, and where
     * all questions have the same value, so that it has nothing to draw from, what Wilson's interval leaves for other values. Questions
     * of one group, such as those about one fact, count as one in all of them.
     *
     * @param accuracyMean null without any known truth
     * @param consistency null with one language
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record ConfidenceIntervals(
            double level,
            Map<String, Interval> accuracy,
            @JsonProperty("accuracy_mean") Interval accuracyMean,
            Interval consistency) {}

    /**
     * @param asked questions with a line in this language
     * @param graded those with a known truth
     * @param correct those answered right
     * @param unanswered those asked without a predicted label
     */
    public record Counts(int asked, int graded, int correct, int unanswered) {}

    /**
     * @param seed of the bootstrap
     * @throws org.calm4j.engine.CalmException bad input: no predictions, or two for one id and language
     */
    public static Evaluation of(List<Prediction> predictions, long seed) {
        AnswerTable table = new AnswerTable(predictions);
        int[] all = table.all();
        Map<String, Double> accuracy = new LinkedHashMap<>();
        Map<String, Interval> accuracyIntervals = new LinkedHashMap<>();
        Map<String, Double> invalid = new LinkedHashMap<>();
        Map<String, Counts> languages = new LinkedHashMap<>();
        for (int l = 0; l < table.languages.size(); l++) {
            String language = table.languages.get(l);
            Counts counts = count(table, l);
            languages.put(language, counts);
            invalid.put(language, (double) counts.unanswered() / counts.asked());
            if (counts.graded() > 0) {
                accuracy.put(language, (double) counts.correct() / counts.graded());
                accuracyIntervals.put(language, table.accuracyInterval(l));
            }
        }
        boolean graded = !accuracy.isEmpty();
        boolean pairs = table.languages.size() > 1;
        ConfidenceIntervals intervals = new ConfidenceIntervals(
                Interval.LEVEL,
                accuracyIntervals,
                graded ? Bootstrap.interval(table.gradedGroups(), seed, table::accuracyMean, 0) : null,
                pairs ? Bootstrap.interval(table.groups, seed, table::consistency, 0) : null);
        return new Evaluation(
                all.length,
                accuracy,
                graded ? table.accuracyMean(all) : null,
                pairs ? table.consistency(all) : null,
                pairs && graded ? table.consistencyRight(all) : null,
                pairs && graded ? consistencyCorrect(table) : null,
                null,
                intervals,
                pairwise(table),
                invalid,
                invalid.values().stream()
                        .mapToDouble(Double::doubleValue)
                        .average()
                        .orElseThrow(),
                Calibration.of(predictions),
                null,
                null,
                languages,
                contradictory(table),
                null,
                null);
    }

    public Evaluation withIntervals(ConfidenceIntervals others) {
        return new Evaluation(
                n,
                accuracy,
                accuracyMean,
                consistency,
                consistencyRight,
                consistencyCorrect,
                rankc,
                others,
                pairwise,
                invalid,
                unanswered,
                calibration,
                answerLanguage,
                answerLanguageMean,
                languages,
                contradictory,
                notLabels,
                patterns);
    }

    public Evaluation withRankc(double value) {
        return new Evaluation(
                n,
                accuracy,
                accuracyMean,
                consistency,
                consistencyRight,
                consistencyCorrect,
                value,
                intervals,
                pairwise,
                invalid,
                unanswered,
                calibration,
                answerLanguage,
                answerLanguageMean,
                languages,
                contradictory,
                notLabels,
                patterns);
    }

    /** @param shares by language; none where nothing was written */
    public Evaluation withAnswerLanguage(Map<String, Double> shares) {
        return shares.isEmpty()
                ? this
                : new Evaluation(
                        n,
                        accuracy,
                        accuracyMean,
                        consistency,
                        consistencyRight,
                        consistencyCorrect,
                        rankc,
                        intervals,
                        pairwise,
                        invalid,
                        unanswered,
                        calibration,
                        shares,
                        shares.values().stream()
                                .mapToDouble(Double::doubleValue)
                                .average()
                                .orElseThrow(),
                        languages,
                        contradictory,
                        notLabels,
                        patterns);
    }

    /** @param values none where all predictions are labels or null */
    public Evaluation withNotLabels(Map<String, Integer> values) {
        return values.isEmpty()
                ? this
                : new Evaluation(
                        n,
                        accuracy,
                        accuracyMean,
                        consistency,
                        consistencyRight,
                        consistencyCorrect,
                        rankc,
                        intervals,
                        pairwise,
                        invalid,
                        unanswered,
                        calibration,
                        answerLanguage,
                        answerLanguageMean,
                        languages,
                        contradictory,
                        values,
                        patterns);
    }

    /** @param kinds of the responses that the answers come from, by name */
    public Evaluation withPatterns(Map<String, ResponseKind> kinds) {
        return new Evaluation(
                n,
                accuracy,
                accuracyMean,
                consistency,
                consistencyRight,
                consistencyCorrect,
                rankc,
                intervals,
                pairwise,
                invalid,
                unanswered,
                calibration,
                answerLanguage,
                answerLanguageMean,
                languages,
                contradictory,
                notLabels,
                kinds);
    }

    private static Counts count(AnswerTable table, int l) {
        int asked = 0;
        int graded = 0;
        int correct = 0;
        int unanswered = 0;
        for (int q = 0; q < table.questions(); q++) {
            asked += table.asked(q, l) ? 1 : 0;
            graded += table.graded(q, l) ? 1 : 0;
            correct += table.correct(q, l) ? 1 : 0;
            unanswered += table.asked(q, l) && !table.answered(q, l) ? 1 : 0;
        }
        return new Counts(asked, graded, correct, unanswered);
    }

    private static Map<String, Map<String, Double>> pairwise(AnswerTable table) {
        Map<String, Map<String, Double>> matrix = new LinkedHashMap<>();
        for (int a = 0; a < table.languages.size(); a++) {
            Map<String, Double> row = new LinkedHashMap<>();
            for (int b = 0; b < table.languages.size(); b++) {
                int equal = 0;
                for (int q = 0; q < table.questions(); q++) {
                    equal += table.agree(q, a, b) ? 1 : 0;
                }
                row.put(table.languages.get(b), (double) equal / table.questions());
            }
            matrix.put(table.languages.get(a), row);
        }
        return matrix;
    }

    // A pair of languages that was never right does not count.
    private static Double consistencyCorrect(AnswerTable table) {
        double sum = 0;
        int pairs = 0;
        for (int a = 0; a < table.languages.size(); a++) {
            for (int b = a + 1; b < table.languages.size(); b++) {
                int both = 0;
                int either = 0;
                for (int q = 0; q < table.questions(); q++) {
                    both += table.correct(q, a) && table.correct(q, b) ? 1 : 0;
                    either += table.correct(q, a) || table.correct(q, b) ? 1 : 0;
                }
                if (either > 0) {
                    sum += (double) both / either;
                    pairs++;
                }
            }
        }
        return pairs == 0 ? null : sum / pairs;
    }

    private static Integer contradictory(AnswerTable table) {
        int count = 0;
        for (int q = 0; q < table.questions(); q++) {
            count += table.contradictory(q) ? 1 : 0;
        }
        return count == 0 ? null : count;
    }
}
