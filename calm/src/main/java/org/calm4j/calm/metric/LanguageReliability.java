package org.calm4j.calm.metric;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import org.calm4j.calm.data.Vote;

/**
 * The reliability of each language's answers, estimated without labels: {@link DawidSkene} with the languages as annotators of the questions and the
 * labels as classes.
 *
 * @param reliability by language: the estimated probability that its answer is the true one
 * @param probabilities by question, in their order: probability of each label that was voted for
 */
public record LanguageReliability(Map<String, Double> reliability, List<Map<String, Double>> probabilities) {

    /** @param byLanguage of each question: language to label to count */
    public static LanguageReliability of(List<Map<String, Map<String, Integer>>> byLanguage) {
        TreeSet<String> languages = new TreeSet<>();
        TreeSet<String> labels = new TreeSet<>();
        byLanguage.forEach(counts -> counts.forEach((language, own) -> {
            languages.add(language);
            labels.addAll(own.keySet());
        }));
        List<String> annotators = List.copyOf(languages);
        List<String> classes = List.copyOf(labels);
        int[][][] counts = new int[byLanguage.size()][annotators.size()][classes.size()];
        for (int i = 0; i < counts.length; i++) {
            for (int a = 0; a < annotators.size(); a++) {
                Map<String, Integer> own = byLanguage.get(i).getOrDefault(annotators.get(a), Map.of());
                for (int k = 0; k < classes.size(); k++) {
                    counts[i][a][k] = own.getOrDefault(classes.get(k), 0);
                }
            }
        }
        DawidSkene estimate = DawidSkene.estimate(counts);
        Map<String, Double> reliability = new LinkedHashMap<>();
        for (int a = 0; a < annotators.size(); a++) {
            reliability.put(annotators.get(a), estimate.reliability(a));
        }
        List<Map<String, Double>> probabilities = new ArrayList<>();
        for (int i = 0; i < counts.length; i++) {
            Map<String, Double> own = new TreeMap<>();
            for (int k = 0; k < classes.size(); k++) {
                String label = classes.get(k);
                if (byLanguage.get(i).values().stream().anyMatch(said -> said.containsKey(label))) {
                    own.put(label, estimate.posterior()[i][k]);
                }
            }
            probabilities.add(own);
        }
        return new LanguageReliability(reliability, probabilities);
    }

    /**
     * Whether it beats the plain majority, where the truth is known; a tie has no winner and counts as wrong.
     *
     * @param accuracy share of questions whose most probable label is right
     * @param majority the same of the most frequent label
     * @param flips against the majority
     * @param reliability by language, as estimated without the truth
     */
    public record AgainstMajority(
            double accuracy, double majority, Comparison.Flips flips, Map<String, Double> reliability) {
        @JsonProperty
        public boolean better() {
            return accuracy > majority;
        }
    }

    /** @param votes of all languages alike; null where no truth is known */
    public static AgainstMajority compare(List<Vote> votes, Map<String, String> truth) {
        List<Vote> graded =
                votes.stream().filter(vote -> truth.containsKey(vote.id())).toList();
        if (graded.isEmpty()) {
            return null;
        }
        LanguageReliability estimate = of(votes.stream().map(Vote::byLanguage).toList());
        int both = 0;
        int gained = 0;
        int lost = 0;
        for (int i = 0; i < votes.size(); i++) {
            String label = truth.get(votes.get(i).id());
            if (label != null) {
                boolean right = label.equals(MajorityVote.winner(estimate.probabilities.get(i)));
                boolean was = label.equals(MajorityVote.winner(votes.get(i).votes()));
                both += right && was ? 1 : 0;
                gained += right && !was ? 1 : 0;
                lost += was && !right ? 1 : 0;
            }
        }
        double n = graded.size();
        return new AgainstMajority(
                (both + gained) / n, (both + lost) / n, Comparison.Flips.of(gained, lost), estimate.reliability);
    }
}
