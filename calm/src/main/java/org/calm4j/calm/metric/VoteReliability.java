package org.calm4j.calm.metric;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import org.calm4j.calm.data.Vote;

/**
 * How far the vote can be trusted, measured where the truth is known. The truth is read only here, never on the way to the vote. In all
 * figures a tie has no winner and counts as wrong, as it does where pairs are made, so that they compare.
 *
 * @param n votes on questions with a known truth
 * @param accuracy share of them whose winner is right; a vote without a winner is wrong. Null when n is 0
 * @param interval Wilson's, with questions of one group as one; null when n is 0
 * @param ties votes with two labels in first place
 * @param undecided votes without a winner
 * @param alone accuracy of each language's own vote
 * @param without accuracy of the vote of all languages but one; empty with one language
 * @param calibration votes binned by agreement; empty bins are left out
 * @param byLanguages accuracy of the vote of 1, 2, … languages
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record VoteReliability(
        int n,
        Double accuracy,
        Interval interval,
        int ties,
        int undecided,
        Map<String, Double> alone,
        Map<String, Double> without,
        List<Bin> calibration,
        @JsonProperty("by_languages") List<Subsets> byLanguages) {
    private static final int BINS = 10;

    /** Votes with low ≤ agreement &lt; high (the last bin includes 1): how many, and the share that is right. */
    public record Bin(double low, double high, int n, double agreement, double accuracy, Interval interval) {}

    /**
     * Accuracy of the vote of {@code languages} languages: mean, least and greatest over all choices of that many.
     *
     * @param each the choices, or 1000 random ones of them
     */
    public record Subsets(int languages, double accuracy, double least, double greatest, List<Choice> each) {}

    /** Accuracy of the vote of these languages. */
    public record Choice(List<String> languages, double accuracy) {}

    /**
     * @param truth question id to the true label; votes on other questions are left out
     * @param groups question id to its group, where it has one: questions of one group count as one in intervals
     */
    public static VoteReliability of(List<Vote> votes, Map<String, String> truth, Map<String, String> groups) {
        List<Vote> graded =
                votes.stream().filter(vote -> truth.get(vote.id()) != null).toList();
        int right = (int) graded.stream()
                .filter(vote -> truth.get(vote.id()).equals(vote.answer()))
                .count();
        int ties = (int) graded.stream().filter(Vote::tie).count();
        int undecided =
                (int) graded.stream().filter(vote -> vote.answer() == null).count();
        Set<String> languages = new LinkedHashSet<>();
        graded.forEach(vote -> languages.addAll(vote.byLanguage().keySet()));
        Table table = Table.of(graded, truth, List.copyOf(languages));
        Map<String, Double> alone = new LinkedHashMap<>();
        languages.forEach(language -> alone.put(language, table.accuracy(List.of(language))));
        Map<String, Double> without = new LinkedHashMap<>();
        if (languages.size() > 1) {
            languages.forEach(language -> without.put(
                    language,
                    table.accuracy(languages.stream()
                            .filter(other -> !other.equals(language))
                            .toList())));
        }
        return new VoteReliability(
                graded.size(),
                graded.isEmpty() ? null : (double) right / graded.size(),
                interval(graded, truth, groups),
                ties,
                undecided,
                alone,
                without,
                calibration(graded, truth, groups),
                byLanguages(table));
    }

    /**
     * Mean over questions of the share of language pairs whose own most frequent answers are equal, where a language without an answer, or
     * with two in first place, equals nothing; null with one language.
     */
    public static Double consistency(List<Vote> votes) {
        Set<String> all = new LinkedHashSet<>();
        votes.forEach(vote -> all.addAll(vote.byLanguage().keySet()));
        List<List<String>> pairs = all.size() < 2 ? List.of() : Subset.all(List.copyOf(all), 2);
        double sum = 0;
        for (Vote vote : votes) {
            int equal = 0;
            for (List<String> pair : pairs) {
                String own = winner(vote, pair.getFirst());
                equal += own != null && own.equals(winner(vote, pair.getLast())) ? 1 : 0;
            }
            sum += (double) equal / pairs.size();
        }
        return pairs.isEmpty() ? null : sum / votes.size();
    }

    private static String winner(Vote vote, String language) {
        return MajorityVote.winner(vote.byLanguage().getOrDefault(language, Map.of()));
    }

    private static Interval interval(List<Vote> votes, Map<String, String> truth, Map<String, String> groups) {
        Map<Object, int[]> counts = new LinkedHashMap<>();
        for (Vote vote : votes) {
            String group = groups.get(vote.id());
            int[] count = counts.computeIfAbsent(group == null ? vote : group, key -> new int[2]);
            count[0] += truth.get(vote.id()).equals(vote.answer()) ? 1 : 0;
            count[1]++;
        }
        return Interval.wilson(counts.values());
    }

    private static List<Bin> calibration(List<Vote> votes, Map<String, String> truth, Map<String, String> groups) {
        SortedMap<Integer, List<Vote>> byAgreement = new TreeMap<>();
        for (Vote vote : votes) {
            if (vote.answer() != null) {
                int bin = Math.min(BINS - 1, (int) (vote.agreement() * BINS));
                byAgreement.computeIfAbsent(bin, key -> new ArrayList<>()).add(vote);
            }
        }
        List<Bin> bins = new ArrayList<>();
        byAgreement.forEach((bin, own) -> bins.add(new Bin(
                (double) bin / BINS,
                (bin + 1.0) / BINS,
                own.size(),
                own.stream().mapToDouble(Vote::agreement).average().orElseThrow(),
                own.stream()
                                .filter(vote -> truth.get(vote.id()).equals(vote.answer()))
                                .count()
                        / (double) own.size(),
                interval(own, truth, groups))));
        return bins;
    }

    private static List<Subsets> byLanguages(Table table) {
        List<Subsets> curve = new ArrayList<>();
        for (int size = 1; size <= table.languages.size(); size++) {
            double sum = 0;
            double least = 1;
            double greatest = 0;
            List<List<String>> subsets = Subset.all(table.languages, size);
            List<Choice> each = new ArrayList<>();
            for (List<String> subset : subsets) {
                double accuracy = table.accuracy(subset);
                each.add(new Choice(subset, accuracy));
                sum += accuracy;
                least = Math.min(least, accuracy);
                greatest = Math.max(greatest, accuracy);
            }
            curve.add(new Subsets(size, sum / subsets.size(), least, greatest, each));
        }
        return curve;
    }

    /**
     * Votes as numbers, for the many choices of languages.
     *
     * @param counts by vote, language and label
     * @param truth the right label's number; -1 if no answer gave it
     */
    private record Table(List<String> languages, int[][][] counts, int[] truth) {
        static Table of(List<Vote> votes, Map<String, String> truth, List<String> languages) {
            int[][][] counts = new int[votes.size()][languages.size()][];
            int[] right = new int[votes.size()];
            for (int v = 0; v < counts.length; v++) {
                Map<String, Map<String, Integer>> said = votes.get(v).byLanguage();
                List<String> labels = said.values().stream()
                        .flatMap(own -> own.keySet().stream())
                        .distinct()
                        .toList();
                right[v] = labels.indexOf(truth.get(votes.get(v).id()));
                for (int l = 0; l < languages.size(); l++) {
                    Map<String, Integer> own = said.getOrDefault(languages.get(l), Map.of());
                    counts[v][l] = labels.stream()
                            .mapToInt(label -> own.getOrDefault(label, 0))
                            .toArray();
                }
            }
            return new Table(languages, counts, right);
        }

        /** The share of votes of some languages that are right. */
        double accuracy(List<String> some) {
            int[] chosen = some.stream().mapToInt(languages::indexOf).toArray();
            int right = 0;
            for (int v = 0; v < counts.length; v++) {
                right += truth[v] >= 0 && wins(counts[v], chosen, truth[v]) ? 1 : 0;
            }
            return (double) right / counts.length;
        }

        // Counts are whole numbers, in which a tie is equality.
        private static boolean wins(int[][] counts, int[] languages, int label) {
            int own = pooled(counts, languages, label);
            for (int k = 0; k < counts[0].length; k++) {
                if (k != label && pooled(counts, languages, k) >= own) {
                    return false;
                }
            }
            return own > 0;
        }

        private static int pooled(int[][] counts, int[] languages, int label) {
            int sum = 0;
            for (int language : languages) {
                sum += counts[language][label];
            }
            return sum;
        }
    }
}
