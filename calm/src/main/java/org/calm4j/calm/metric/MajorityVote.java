package org.calm4j.calm.metric;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.calm4j.calm.data.Prediction;
import org.calm4j.calm.data.Samples;

/**
 * The labels in first place. The rule for ties is the same for votes, evaluations and reports: labels tie if their weights differ
 * by at most 1e-9 of the greatest. Sums of weights depend on their order in the last bits, so equality alone would let that order decide.
 * The caller decides what follows from a tie.
 */
public final class MajorityVote {
    private static final double TOLERANCE = 1e-9;

    private MajorityVote() {}

    /**
     * The labels with the greatest weight, in the order of the map: one, several in a tie, none if all weights are 0.
     *
     * @param weights label to count, sum of weights or probability; not negative
     */
    public static List<String> first(Map<String, ? extends Number> weights) {
        double greatest =
                weights.values().stream().mapToDouble(Number::doubleValue).max().orElse(0);
        return greatest == 0
                ? List.of()
                : weights.entrySet().stream()
                        .filter(entry -> entry.getValue().doubleValue() >= greatest * (1 - TOLERANCE))
                        .map(Map.Entry::getKey)
                        .toList();
    }

    /** The label that alone is first; null in a tie or without votes. */
    public static String winner(Map<String, ? extends Number> weights) {
        List<String> first = first(weights);
        return first.size() == 1 ? first.getFirst() : null;
    }

    /** The most frequent answer of the responses, in a tie the one that appears first; its confidence is its share of all responses. */
    public static Prediction prediction(Samples line) {
        Map<String, Integer> counts = new LinkedHashMap<>();
        line.responses().stream()
                .filter(response -> response.answer() != null)
                .forEach(response -> counts.merge(response.answer(), 1, Integer::sum));
        List<String> first = first(counts);
        String most = first.isEmpty() ? null : first.getFirst();
        Double confidence = line.responses().size() == 1 || most == null
                ? null
                : (double) counts.get(most) / line.responses().size();
        return new Prediction(line.id(), line.language(), line.answer(), most, line.group(), confidence);
    }
}
