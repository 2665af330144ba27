package org.calm4j.calm.extract;

/** The grammar's phrases in one text, by their place. */
final class Phrases {
    private final String lower;
    private final int languages;
    /** Those at the place that was looked at last. */
    private final int[] matched = new int[Word.values().length];

    private int matchedAt = -1;

    /** @param lower folded, in lower case */
    Phrases(String lower) {
        this.lower = lower;
        languages = Grammar.ALL.languages(lower);
    }

    /** The length of the longest phrase of a kind that begins at a place; 0 without. */
    int match(Word word, int at) {
        if (at != matchedAt) {
            Grammar.ALL.match(lower, at, languages, matched);
            matchedAt = at;
        }
        return matched[word.ordinal()];
    }
}
