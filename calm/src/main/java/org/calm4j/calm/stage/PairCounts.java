package org.calm4j.calm.stage;

import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import java.util.Map;
import java.util.TreeMap;

/**
 * What became of all questions. In each language, {@code questions} is those with a pair and those in {@code skipped} together.
 *
 * @param sources pairs by where the chosen response comes from
 * @param skipped questions in a language (or two) that gave no pair, by the reason
 * @param languages the same by language, or by two with a plus between them
 */
@JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
public record PairCounts(int pairs, Map<String, Integer> sources, Map<String, Integer> skipped, Map<String, Language> languages) {

    /**
     * @param questions asked in this language
     * @param withPair those that gave a pair
     * @param offLanguage responses that agree with the vote and are in another language
     */
    @JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
    public record Language(int questions, int withPair, int pairs, Map<String, Integer> sources, Map<String, Integer> skipped, int offLanguage) {
    }

    /** Counts one language while its questions go by. */
    static final class Counter {
        private final Map<String, Integer> sources = new TreeMap<>();
        private final Map<String, Integer> skipped = new TreeMap<>();
        private int questions;
        private int withPair;
        private int pairs;
        private int offLanguage;

        void pair(String source) {
            pairs++;
            sources.merge(source, 1, Integer::sum);
        }

        void offLanguage(int responses) {
            offLanguage += responses;
        }

        /** @param problem why the question gave no pair; null where it gave one */
        void question(String problem) {
            questions++;
            if (problem == null) {
                withPair++;
            } else {
                skipped.merge(problem, 1, Integer::sum);
            }
        }

        Language language() {
            return new Language(questions, withPair, pairs, sources, skipped, offLanguage);
        }
    }

    static PairCounts of(Map<String, Counter> counters) {
        Map<String, Integer> sources = new TreeMap<>();
        Map<String, Integer> skipped = new TreeMap<>();
        Map<String, Language> languages = new TreeMap<>();
        int pairs = 0;
        for (Map.Entry<String, Counter> entry : counters.entrySet()) {
            Counter counter = entry.getValue();
            pairs += counter.pairs;
            counter.sources.forEach((source, n) -> sources.merge(source, n, Integer::sum));
            counter.skipped.forEach((problem, n) -> skipped.merge(problem, n, Integer::sum));
            languages.put(entry.getKey(), counter.language());
        }
        return new PairCounts(pairs, sources, skipped, languages);
    }

    /** For people, without a line end. */
    public String text() {
        StringBuilder text = new StringBuilder(pairs + " pairs " + sources + ", none for " + skipped + ".");
        if (languages.size() > 1) {
            languages.forEach((name, own) -> text.append(System.lineSeparator()).append(name).append(": ").append(own.pairs).append(" pairs of ")
                    .append(own.withPair).append(" questions, none for ").append(own.skipped)
                    .append(own.offLanguage > 0 ? ", " + own.offLanguage + " responses in another language left out" : ""));
        }
        return text.toString();
    }
}
