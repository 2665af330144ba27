package org.calm4j.calm.pair;

import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/**
 * What became of all questions. In each language, {@code questions} is the number with a pair plus the number in {@code skipped}.
 *
 * @param sources pairs by the source of the chosen response
 * @param skipped questions in a language (or two) without a pair, by reason
 * @param responses of the questions that have a winner
 * @param dropped those left out before pairing, by rule
 * @param languages the same by language, or by two languages joined by a plus
 */
@JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
public record PairCounts(
        int pairs,
        Map<String, Integer> sources,
        Map<String, Integer> skipped,
        int responses,
        Map<String, Integer> dropped,
        Map<String, Language> languages) {
    /** Share of responses left out above which a warning is printed. */
    private static final double LOUD = 0.05;

    /**
     * @param questions asked in this language
     * @param withPair those with a pair
     * @param offLanguage responses left out because they answer in another language
     */
    @JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
    public record Language(
            int questions,
            int withPair,
            int pairs,
            Map<String, Integer> sources,
            Map<String, Integer> skipped,
            int responses,
            Map<String, Integer> dropped,
            int offLanguage) {}

    /** Counts the questions of one language. */
    static final class Counter {
        private final Map<String, Integer> sources = new TreeMap<>();
        private final Map<String, Integer> skipped = new TreeMap<>();
        private int questions;
        private int withPair;
        private int pairs;
        private int responses;
        private final Map<String, Integer> dropped = new TreeMap<>();

        void pair(String source) {
            pairs++;
            sources.merge(source, 1, Integer::sum);
        }

        /**
         * @param of the number of responses to one question
         * @param chosen those in another language that agree with the vote
         * @param rejected those in another language that differ from it
         */
        void left(int of, int chosen, int rejected) {
            responses += of;
            drop("agrees, in another language", chosen);
            drop("differs, in another language", rejected);
        }

        private void drop(String rule, int count) {
            if (count > 0) {
                dropped.merge(rule, count, Integer::sum);
            }
        }

        /** @param problem why the question has no pair; null if it has one */
        void question(String problem) {
            questions++;
            if (problem == null) {
                withPair++;
            } else {
                skipped.merge(problem, 1, Integer::sum);
            }
        }

        Language language() {
            return new Language(questions, withPair, pairs, sources, skipped, responses, dropped, sum(dropped));
        }
    }

    static PairCounts of(Map<String, Counter> counters) {
        Map<String, Integer> sources = new TreeMap<>();
        Map<String, Integer> skipped = new TreeMap<>();
        Map<String, Language> languages = new TreeMap<>();
        Map<String, Integer> dropped = new TreeMap<>();
        int pairs = 0;
        int responses = 0;
        for (Map.Entry<String, Counter> entry : counters.entrySet()) {
            Counter counter = entry.getValue();
            pairs += counter.pairs;
            responses += counter.responses;
            counter.dropped.forEach((rule, n) -> dropped.merge(rule, n, Integer::sum));
            counter.sources.forEach((source, n) -> sources.merge(source, n, Integer::sum));
            counter.skipped.forEach((problem, n) -> skipped.merge(problem, n, Integer::sum));
            languages.put(entry.getKey(), counter.language());
        }
        return new PairCounts(pairs, sources, skipped, responses, dropped, languages);
    }

    private static int sum(Map<String, Integer> counts) {
        return counts.values().stream().mapToInt(Integer::intValue).sum();
    }

    /** What was left out, by rule; empty if nothing was. */
    public String left() {
        return dropped.isEmpty()
                ? ""
                : String.format(Locale.ROOT, "%d of %d responses left out %s", sum(dropped), responses, dropped);
    }

    /** A one-line warning if more than a twentieth of the responses was left out; null otherwise. */
    public String warning() {
        return sum(dropped) <= LOUD * responses
                ? null
                : String.format(
                        Locale.ROOT,
                        "warning: pairs left out %.1f %% of the responses, on both sides: %s; keep_off_language keeps them",
                        100.0 * sum(dropped) / responses,
                        dropped);
    }

    /** Readable text, without a final line break. */
    public String text() {
        StringBuilder text = new StringBuilder(
                pairs + " pairs " + sources + ", none for " + skipped + (dropped.isEmpty() ? "" : ", " + left()) + ".");
        if (languages.size() > 1) {
            languages.forEach((name, own) -> text.append(System.lineSeparator())
                    .append(name)
                    .append(": ")
                    .append(own.pairs)
                    .append(" pairs of ")
                    .append(own.withPair)
                    .append(" questions, none for ")
                    .append(own.skipped)
                    .append(own.dropped.isEmpty() ? "" : ", responses left out " + own.dropped));
        }
        return text.toString();
    }
}
