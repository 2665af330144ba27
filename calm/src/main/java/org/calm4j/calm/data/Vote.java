package org.calm4j.calm.data;

import static org.calm4j.engine.io.JsonProblem.required;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.Map;

/**
 * What the samples say about one question.
 *
 * @param language the only language that voted, if each votes for itself; null if all voted together
 * @param answer label of the winner; null without a winner
 * @param votes label to count, over all languages
 * @param byLanguage language to label to count
 * @param scores label to weight, if votes do not count the same: sums of weights, or Dawid and Skene's probabilities; null if they do
 * @param agreement the winner's share of the votes or scores, in [0,1]; in a tie, the share of one of the first
 * @param tie whether two labels shared the first place
 */
public record Vote(
        String id,
        @JsonInclude(JsonInclude.Include.NON_NULL) String language,
        String answer,
        Map<String, Integer> votes,
        @JsonProperty("by_language") Map<String, Map<String, Integer>> byLanguage,
        @JsonInclude(JsonInclude.Include.NON_NULL) Map<String, Double> scores,
        double agreement,
        boolean tie) {

    public Vote {
        required(id, "id");
        votes = required(votes == null ? Map.of() : votes, "votes");
        byLanguage = required(byLanguage == null ? Map.of() : byLanguage, "by_language");
        byLanguage.values().forEach(each -> required(each, "by_language"));
        if (scores != null) {
            required(scores, "scores");
        }
    }

    /** A vote of all languages, whose votes count the same. */
    public Vote(
            String id,
            String answer,
            Map<String, Integer> votes,
            Map<String, Map<String, Integer>> byLanguage,
            double agreement,
            boolean tie) {
        this(id, null, answer, votes, byLanguage, null, agreement, tie);
    }

    /** A label's share of all votes or scores; 0 for null and for a label without votes. */
    public double share(String label) {
        Map<String, ? extends Number> weights = scores == null ? votes : scores;
        double all = weights.values().stream().mapToDouble(Number::doubleValue).sum();
        return label == null || !weights.containsKey(label) || !(all > 0)
                ? 0
                : weights.get(label).doubleValue() / all;
    }
}
