package org.calm4j.calm.metric;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.calm4j.engine.CalmException;

/**
 * Ranking-based consistency (Qi, Fernández &amp; Bisazza 2023, "Cross-Lingual Consistency of Factual Knowledge in Multilingual Language
 * Models", equations 1 to 3): how alike two languages order the same candidates, whatever is true.
 *
 * <p>For one question with N candidates, Σ_j w_j · P@j, where P@j is the share of the first j candidates that both orders have in common and
 * w = softmax(N - 1, …, 1, 0), so that the top of the order counts most.
 */
public final class RankC {
    private RankC() {}

    /**
     * Mean over language pairs of the mean over questions.
     *
     * @param rankings language to question id to labels, best first
     * @return NaN with fewer than two languages
     * @throws CalmException bad input: two languages rank different labels for one question, or one label twice
     */
    public static double mean(Map<String, Map<String, List<String>>> rankings) {
        Map<String, Map<String, Double>> pairwise = pairwise(rankings);
        List<String> languages = new ArrayList<>(pairwise.keySet());
        double sum = 0;
        int pairs = 0;
        for (int a = 0; a < languages.size(); a++) {
            for (int b = a + 1; b < languages.size(); b++) {
                sum += pairwise.get(languages.get(a)).get(languages.get(b));
                pairs++;
            }
        }
        return sum / pairs;
    }

    /** Language × language, symmetric; a question that one of the two did not rank counts as 0. */
    public static Map<String, Map<String, Double>> pairwise(Map<String, Map<String, List<String>>> rankings) {
        Set<String> ids = new LinkedHashSet<>();
        rankings.values().forEach(byId -> ids.addAll(byId.keySet()));
        Map<String, Map<String, Double>> matrix = new LinkedHashMap<>();
        rankings.forEach((language, byId) -> {
            Map<String, Double> row = new LinkedHashMap<>();
            rankings.forEach((other, otherById) -> row.put(other, mean(ids, byId, otherById)));
            matrix.put(language, row);
        });
        return matrix;
    }

    private static double mean(Set<String> ids, Map<String, List<String>> first, Map<String, List<String>> second) {
        double sum = 0;
        for (String id : ids) {
            List<String> one = first.get(id);
            List<String> other = second.get(id);
            sum += one == null || other == null ? 0 : similarity(id, one, other);
        }
        return sum / ids.size();
    }

    private static double similarity(String id, List<String> one, List<String> other) {
        int n = one.size();
        if (n == 0
                || new HashSet<>(one).size() != n
                || other.size() != n
                || !new HashSet<>(one).equals(new HashSet<>(other))) {
            throw CalmException.badInput(
                    "ranking of question " + id,
                    "has " + one + " in one language and " + other + " in another; both must order the same labels");
        }
        Set<String> common = new HashSet<>();
        Set<String> seen = new HashSet<>();
        double sum = 0;
        double weights = 0;
        for (int j = 0; j < n; j++) {
            for (String label : List.of(one.get(j), other.get(j))) {
                if (!seen.add(label)) {
                    common.add(label);
                }
            }
            double weight = Math.exp(-j);
            sum += weight * common.size() / (j + 1);
            weights += weight;
        }
        return sum / weights;
    }
}
