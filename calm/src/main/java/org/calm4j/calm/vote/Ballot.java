package org.calm4j.calm.vote;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.calm4j.calm.data.Question;
import org.calm4j.calm.data.Samples;
import org.calm4j.calm.data.Vote;
import org.calm4j.calm.metric.MajorityVote;
import org.calm4j.calm.option.VoteOptions;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.random.CounterRandom;

/** The answers to one question: who voted for what. Responses without an answer do not vote. */
final class Ballot {
    final String id;
    /** The only language whose samples vote here; null for all languages. */
    final String language;

    final List<Samples> lines = new ArrayList<>();

    Ballot(String id, String language) {
        this.id = id;
        this.language = language;
    }

    /** One ballot per question, or one per question and language, in the order of the samples. */
    static List<Ballot> of(List<Samples> samples, boolean eachLanguage) {
        Map<List<String>, Ballot> ballots = new LinkedHashMap<>();
        for (Samples line : samples) {
            String language = eachLanguage ? line.language() : "";
            ballots.computeIfAbsent(
                            List.of(line.id(), language), key -> new Ballot(line.id(), eachLanguage ? language : null))
                    .lines
                    .add(line);
        }
        return List.copyOf(ballots.values());
    }

    /** Language to label to count, for the languages with samples. */
    Map<String, Map<String, Integer>> byLanguage() {
        Map<String, Map<String, Integer>> counts = new TreeMap<>();
        for (Samples line : lines) {
            Map<String, Integer> own = counts.computeIfAbsent(line.language(), each -> new TreeMap<>());
            line.responses().stream()
                    .filter(response -> response.answer() != null)
                    .forEach(response -> own.merge(response.answer(), 1, Integer::sum));
        }
        return counts;
    }

    /** Label to count, over all languages. */
    static Map<String, Integer> pooled(Map<String, Map<String, Integer>> byLanguage) {
        Map<String, Integer> pooled = new TreeMap<>();
        byLanguage.values().forEach(counts -> counts.forEach((label, n) -> pooled.merge(label, n, Integer::sum)));
        return pooled;
    }

    /** Label to the sum of the weights of its votes. */
    Map<String, Double> weighed(Map<String, Double> languageWeights, boolean byProbability) {
        Map<String, Double> scores = new TreeMap<>();
        for (Samples line : lines) {
            double factor = languageWeights.getOrDefault(line.language(), 1.0);
            for (Samples.Response response : line.responses()) {
                if (response.answer() != null) {
                    scores.merge(
                            response.answer(),
                            factor * (byProbability ? Math.exp(perToken(line, response)) : 1),
                            Double::sum);
                }
            }
        }
        return scores;
    }

    /** The true label that the samples carry; null if there is none or the languages differ. */
    String truth() {
        Set<String> labels = truths();
        return labels.size() == 1 ? labels.iterator().next() : null;
    }

    /** A random one of the question's labels; the same for the same id. */
    String drawn() {
        List<Question.Choice> choices = lines.getFirst().choices();
        return choices.get(CounterRandom.below(
                        CounterRandom.seed(CounterRandom.seed(0, "random vote"), id), 0, choices.size()))
                .label();
    }

    /** The true labels; more than one if the options are not in the same order in all languages. */
    Set<String> truths() {
        Set<String> labels = new LinkedHashSet<>();
        lines.stream().filter(line -> line.answer() != null).forEach(line -> labels.add(line.answer()));
        return labels;
    }

    /** @param scores null if all votes count the same */
    Vote decide(Map<String, Double> scores, VoteOptions options, List<String> languageOrder) {
        Map<String, Map<String, Integer>> byLanguage = byLanguage();
        Map<String, Integer> votes = pooled(byLanguage);
        Map<String, ? extends Number> weights = scores == null ? votes : scores;
        double all = weights.values().stream().mapToDouble(Number::doubleValue).sum();
        List<String> first = MajorityVote.first(weights);
        String answer = first.size() == 1
                ? first.getFirst()
                : first.isEmpty()
                        ? null
                        : switch (options.tie()) {
                            case ABSTAIN, SKIP -> null;
                            case LANGUAGE_ORDER -> ofFirstLanguage(first, byLanguage, languageOrder);
                            case LOGPROB -> ofHigherLogProb(first);
                        };
        double agreement = first.isEmpty() ? 0 : weights.get(first.getFirst()).doubleValue() / all;
        return new Vote(
                id,
                language,
                agreement < options.minimumAgreement() ? null : answer,
                votes,
                byLanguage,
                scores,
                agreement,
                first.size() > 1);
    }

    // Null if no language has one of them alone in its own first place.
    private static String ofFirstLanguage(
            List<String> tied, Map<String, Map<String, Integer>> byLanguage, List<String> order) {
        for (String language : order) {
            String own = MajorityVote.winner(byLanguage.getOrDefault(language, Map.of()));
            if (own != null && tied.contains(own)) {
                return own;
            }
        }
        return null;
    }

    // Null if two of them are equally probable.
    private String ofHigherLogProb(List<String> tied) {
        Map<String, Double> probabilities = new LinkedHashMap<>();
        for (String label : tied) {
            double mean = lines.stream()
                    .flatMap(line -> line.responses().stream()
                            .filter(response -> label.equals(response.answer()))
                            .map(response -> perToken(line, response)))
                    .mapToDouble(Double::doubleValue)
                    .average()
                    .orElseThrow();
            probabilities.put(label, Math.exp(mean));
        }
        return MajorityVote.winner(probabilities);
    }

    private static double perToken(Samples line, Samples.Response response) {
        if (response.logprob() == null || response.numTokens() == null || response.numTokens() < 1) {
            throw CalmException.badInput(
                    "samples of question " + line.id() + " in " + line.language(),
                    "have a response without logprob and num_tokens; weight votes by count, or resolve ties in another way");
        }
        return response.logprob() / response.numTokens();
    }
}
