package org.calm4j.calm.metric;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;
import java.util.function.ToDoubleFunction;
import org.apache.commons.math3.distribution.BinomialDistribution;
import org.calm4j.calm.data.Prediction;
import org.calm4j.engine.CalmException;

/**
 * What changed between two models on the same questions.
 *
 * @param accuracyMean null without any known truth
 * @param consistency null with one language
 * @param flips by language, and how likely such an imbalance is by chance; languages without any known truth are absent
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record Comparison(
        @JsonProperty("accuracy_mean") Change accuracyMean, Change consistency, Map<String, Flips> flips) {

    /** After minus before, with the interval of a bootstrap over questions that draws both together, as in {@link Evaluation}. */
    public record Change(double difference, Interval interval) {}

    /**
     * @param gained wrong before, right after
     * @param lost right before, wrong after
     * @param pValue McNemar's exact test, two-sided; where questions come in groups, the same with the sign of each group's balance as the
     *     coin
     */
    public record Flips(
            int gained, int lost, @JsonProperty("p_value") double pValue) {
        static Flips of(int gained, int lost) {
            return new Flips(gained, lost, exactTest(gained, lost));
        }

        /** The p-value as text: {@code p = 0.032}, {@code p < 0.001}. */
        public String chance() {
            return pValue < 0.001 ? "p < 0.001" : String.format(Locale.ROOT, "p = %.2g", pValue);
        }
    }

    /**
     * @param seed of the bootstrap
     * @throws CalmException bad input: the two do not answer the same questions in the same languages
     */
    public static Comparison of(List<Prediction> before, List<Prediction> after, long seed) {
        AnswerTable first = new AnswerTable(before);
        AnswerTable second = new AnswerTable(aligned(before, after));
        Map<String, Flips> flips = new LinkedHashMap<>();
        for (int l = 0; l < first.languages.size(); l++) {
            boolean graded = false;
            int gained = 0;
            int lost = 0;
            int[] balances = new int[first.groups.length];
            for (int g = 0; g < balances.length; g++) {
                for (int q : first.groups[g]) {
                    boolean won = !first.correct(q, l) && second.correct(q, l);
                    boolean gone = first.correct(q, l) && !second.correct(q, l);
                    graded |= first.graded(q, l);
                    gained += won ? 1 : 0;
                    lost += gone ? 1 : 0;
                    balances[g] += won ? 1 : gone ? -1 : 0;
                }
            }
            if (graded) {
                boolean single = balances.length == first.questions();
                flips.put(
                        first.languages.get(l),
                        new Flips(gained, lost, single ? exactTest(gained, lost) : signTest(balances)));
            }
        }
        return new Comparison(
                flips.isEmpty() ? null : change(first, second, seed, table -> table::accuracyMean),
                first.languages.size() < 2 ? null : change(first, second, seed, table -> table::consistency),
                flips);
    }

    private static Change change(
            AnswerTable before,
            AnswerTable after,
            long seed,
            Function<AnswerTable, ToDoubleFunction<int[]>> statistic) {
        ToDoubleFunction<int[]> first = statistic.apply(before);
        ToDoubleFunction<int[]> second = statistic.apply(after);
        ToDoubleFunction<int[]> difference = drawn -> second.applyAsDouble(drawn) - first.applyAsDouble(drawn);
        return new Change(
                difference.applyAsDouble(before.all()), Bootstrap.interval(before.groups, seed, difference, -1));
    }

    private static List<Prediction> aligned(List<Prediction> before, List<Prediction> after) {
        record Place(String id, String language) {}
        Map<Place, Prediction> byPlace = new HashMap<>();
        after.forEach(each -> {
            if (byPlace.put(new Place(each.id(), each.language()), each) != null) {
                throw CalmException.badInput(
                        "prediction " + each.id(), "appears twice in language '" + each.language() + "' after");
            }
        });
        List<Prediction> aligned = new ArrayList<>(before.size());
        for (Prediction each : before) {
            Prediction match = byPlace.remove(new Place(each.id(), each.language()));
            if (match == null) {
                throw CalmException.badInput(
                        "prediction " + each.id(),
                        "is there before in language '" + each.language()
                                + "', but not after; compare predictions on the same questions");
            }
            aligned.add(match);
        }
        byPlace.keySet().stream().findFirst().ifPresent(extra -> {
            throw CalmException.badInput(
                    "prediction " + extra.id(),
                    "is there after in language '" + extra.language()
                            + "', but not before; compare predictions on the same questions");
        });
        return aligned;
    }

    // Twice the smaller tail: BinomialTest's own two-sided sum compares probabilities for equality and counts the
    // middle twice (MATH-1644). The
    // terms are summed one by one, since cumulativeProbability takes what is left of 1, where a small tail is lost.
    private static double exactTest(int gained, int lost) {
        int flips = gained + lost;
        int smaller = Math.min(gained, lost);
        double term = new BinomialDistribution(null, flips, 0.5).probability(smaller);
        double tail = 0;
        for (int k = smaller; k >= 0; k--) {
            tail += term;
            term *= k / (flips - k + 1.0);
        }
        return Math.min(1, 2 * tail);
    }

    /** How likely a sum as far from zero is where each term's sign is a fair coin: all sums and their probabilities, term by term. */
    private static double signTest(int[] terms) {
        int reach = Arrays.stream(terms).map(Math::abs).sum();
        double[] probability = new double[2 * reach + 1];
        probability[reach] = 1;
        for (int term : terms) {
            double[] next = new double[probability.length];
            for (int sum = 0; sum < next.length; sum++) {
                for (int from : new int[] {sum - term, sum + term}) {
                    next[sum] += from >= 0 && from < next.length ? probability[from] / 2 : 0;
                }
            }
            probability = next;
        }
        int seen = Math.abs(Arrays.stream(terms).sum());
        double tails = 0;
        for (int sum = 0; sum < probability.length; sum++) {
            tails += Math.abs(sum - reach) >= seen ? probability[sum] : 0;
        }
        return Math.min(1, tails);
    }
}
