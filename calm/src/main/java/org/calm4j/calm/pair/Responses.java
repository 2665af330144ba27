package org.calm4j.calm.pair;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.calm4j.calm.data.Question;
import org.calm4j.calm.data.Samples;
import org.calm4j.calm.data.Vote;
import org.calm4j.calm.extract.AnswerExtractor;
import org.calm4j.calm.extract.Extraction;
import org.calm4j.calm.option.PairOptions;
import org.calm4j.calm.translate.AnswerLanguage;
import org.calm4j.calm.translate.Languages;
import org.calm4j.engine.random.CounterRandom;

/** The responses to one question in one language, in the order in which pairs use them. */
final class Responses {
    final Samples line;
    private final Vote vote;
    private final PairOptions options;
    private final long seed;
    private final AnswerLanguage language;
    private final Map<String, Boolean> own = new HashMap<>();

    /** @param seed of random draws */
    Responses(Samples line, Vote vote, PairOptions options, long seed) {
        this.line = line;
        this.vote = vote;
        this.options = options;
        language = new AnswerLanguage(line);
        this.seed = CounterRandom.seed(CounterRandom.seed(seed, line.id()), line.language());
    }

    /** Those with this answer, each text once. Responses in another language are left out unless the options keep them. */
    List<Samples.Response> agreeing(String answer) {
        return ordered(kept(answer, true), options.chosen(), "chosen");
    }

    /** Those with another answer or none. Responses in another language are left out unless the options keep them. */
    List<Samples.Response> differing(String answer) {
        return ordered(kept(answer, false), options.rejected(), "rejected");
    }

    /** How many with this answer, or with another, are in another language; the same rule leaves them out on both sides. */
    int offLanguage(String answer, boolean agree) {
        return options.keepOffLanguage()
                ? 0
                : (int) withAnswer(answer, agree)
                        .filter(response -> !isOwnLanguage(response))
                        .count();
    }

    private List<Samples.Response> kept(String answer, boolean agree) {
        return withAnswer(answer, agree)
                .filter(response -> options.keepOffLanguage() || isOwnLanguage(response))
                .toList();
    }

    private Stream<Samples.Response> withAnswer(String answer, boolean agree) {
        return line.responses().stream()
                .filter(response -> answer.equals(response.answer()) == agree
                        && !response.text().isBlank());
    }

    private boolean isOwnLanguage(Samples.Response response) {
        return own.computeIfAbsent(response.text(), language::isOwn);
    }

    /** Whether all of a translation is in the language of the question. */
    boolean isTranslated(String text) {
        return Languages.plausible(text, line.language());
    }

    private List<Samples.Response> ordered(
            List<Samples.Response> responses, PairOptions.Policy policy, String purpose) {
        Map<String, Integer> counts = new LinkedHashMap<>();
        Map<String, Samples.Response> byText = new LinkedHashMap<>();
        for (Samples.Response response : responses) {
            counts.merge(response.text(), 1, Integer::sum);
            byText.putIfAbsent(response.text(), response);
        }
        List<Samples.Response> distinct = List.copyOf(byText.values());
        Comparator<Samples.Response> answered = Comparator.comparing(response -> response.answer() == null);
        Comparator<Samples.Response> frequent = answered.thenComparing(response -> -counts.get(response.text()));
        Comparator<Samples.Response> votes = Comparator.comparingDouble(response -> vote.share(response.answer()));
        return switch (policy) {
            case FREQUENT -> distinct.stream().sorted(frequent).toList();
            case FIRST -> distinct;
            case RANDOM -> shuffled(distinct, CounterRandom.seed(seed, purpose));
            case LOGPROB ->
                distinct.stream()
                        .sorted(Comparator.comparingDouble(Responses::unlikeliness))
                        .toList();
            case SHORTEST ->
                distinct.stream()
                        .sorted(Comparator.comparingInt(Responses::length))
                        .toList();
            case LONGEST ->
                distinct.stream()
                        .sorted(Comparator.comparingInt(Responses::length).reversed())
                        .toList();
            case MOST_VOTED ->
                distinct.stream()
                        .sorted(answered.thenComparing(votes.reversed()).thenComparing(frequent))
                        .toList();
            case LEAST_VOTED ->
                distinct.stream()
                        .sorted(answered.thenComparing(votes).thenComparing(frequent))
                        .toList();
        };
    }

    private static <T> List<T> shuffled(List<T> items, long seed) {
        List<T> drawn = new ArrayList<>();
        for (int i : CounterRandom.permutation(seed, items.size())) {
            drawn.add(items.get(i));
        }
        return drawn;
    }

    private static double unlikeliness(Samples.Response response) {
        boolean known = response.logprob() != null && response.numTokens() != null && response.numTokens() > 0;
        return known ? -response.logprob() / response.numTokens() : Double.POSITIVE_INFINITY;
    }

    private static int length(Samples.Response response) {
        return response.text().codePointCount(0, response.text().length());
    }

    /**
     * A response that states this answer, made from one that states another by exchanging the option's text. Null if no response states an
     * option by its text; a response that argues for a label is not used, since its argument would not fit another answer.
     */
    String rewritten(String answer) {
        String stated = optionText(answer);
        AnswerExtractor extractor = null;
        for (Samples.Response response : differing(answer)) {
            if (response.answer() == null) {
                continue;
            }
            extractor = extractor == null ? new AnswerExtractor(line.choices()) : extractor;
            boolean plain = extractor.extract(response.text()).rule() == Extraction.Rule.OPTION_TEXT;
            String other = plain ? optionText(response.answer()) : null;
            // The last occurrence: an earlier one may repeat the question.
            int at = other == null ? -1 : response.text().lastIndexOf(other);
            if (at >= 0) {
                String text = response.text().substring(0, at)
                        + stated
                        + response.text().substring(at + other.length());
                if (answer.equals(extractor.extract(text).label())) {
                    return text;
                }
            }
        }
        return null;
    }

    /** The labels other than the vote's, ordered by the policy for rejected responses; if it does not order labels, the most voted first. */
    List<String> wrongLabels() {
        List<String> wrong = line.choices().stream()
                .map(Question.Choice::label)
                .filter(label -> !label.equals(vote.answer()))
                .toList();
        Comparator<String> votes = Comparator.comparingDouble(vote::share);
        return switch (options.rejected()) {
            case RANDOM -> shuffled(wrong, CounterRandom.seed(seed, "rejected"));
            case LEAST_VOTED -> wrong.stream().sorted(votes).toList();
            default -> wrong.stream().sorted(votes.reversed()).toList();
        };
    }

    /** Null if the question has no such label. */
    String optionText(String label) {
        return line.choices().stream()
                .filter(choice -> choice.label().equals(label))
                .map(Question.Choice::text)
                .findFirst()
                .orElse(null);
    }
}
