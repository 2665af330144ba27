package org.calm4j.engine.text;

import it.unimi.dsi.fastutil.objects.Object2LongLinkedOpenHashMap;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import org.calm4j.engine.CalmException;

/** Learns a vocabulary of whole words, separated by U+0020: the most frequent ones; of equally frequent ones those that come first. */
public final class WordLevelTrainer {
    private static final int SPECIAL_TOKENS = 2;

    private WordLevelTrainer() {}

    /**
     * @param size tokens of the vocabulary at most, the unknown and the end-of-sequence token included
     * @param fewest minimum occurrences of a word
     * @throws CalmException wrong usage: a size below 3; bad input: no word occurs often enough
     */
    public static Tokenizer train(Iterable<String> texts, int size, long fewest, String unknown, String endOfSequence) {
        if (size <= SPECIAL_TOKENS) {
            throw CalmException.usage(
                    "a vocabulary of words has at least " + (SPECIAL_TOKENS + 1) + " tokens, not " + size);
        }
        Object2LongLinkedOpenHashMap<String> counts = new Object2LongLinkedOpenHashMap<>();
        for (String text : texts) {
            for (String word : text.split(" ")) {
                if (!word.isEmpty() && !word.equals(unknown) && !word.equals(endOfSequence)) {
                    counts.addTo(word, 1);
                }
            }
        }
        // The sort is stable, so equal counts keep the order of the texts.
        List<String> words = counts.object2LongEntrySet().stream()
                .filter(entry -> entry.getLongValue() >= fewest)
                .sorted(Comparator.comparingLong((Map.Entry<String, Long> entry) -> entry.getValue())
                        .reversed())
                .map(Map.Entry::getKey)
                .limit(size - SPECIAL_TOKENS)
                .toList();
        if (words.isEmpty()) {
            throw CalmException.badInput("the texts", "no word occurs " + fewest + (fewest == 1 ? " time" : " times"));
        }
        return Tokenizer.wordLevel(words, unknown, endOfSequence);
    }
}
