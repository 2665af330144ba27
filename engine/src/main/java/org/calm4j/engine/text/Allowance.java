package org.calm4j.engine.text;

import org.calm4j.engine.CalmException;

/**
 * The limits of a section of a tokenizer.json for one text: the characters that it may add, and the steps that its regular expressions may
 * take. Both are a multiple of the text's length, far above what published tokenizers need, so that no file turns a word into gigabytes.
 */
final class Allowance {
    /** U+FDFA alone becomes 18 characters under NFKC, and each of them two in the byte alphabet. */
    private static final long CHARACTERS = 64;

    private static final long STEPS = 1000;
    /** Added to the length of every text. */
    private static final long EVERY_TEXT = 1000;

    private final Part section;
    private long length = EVERY_TEXT;
    private long added;
    private long steps;

    /** @param section of the tokenizer.json, for messages */
    Allowance(Part section, long length) {
        this.section = section;
        this.length += length;
    }

    /** Adds characters of the text to the allowance. */
    void lengthen(long more) {
        length += more;
    }

    /** @throws CalmException bad input: the limit is exceeded */
    void add(long characters) {
        added += Math.max(0, characters);
        if (added > CHARACTERS * length) {
            throw section.error("makes more than " + CHARACTERS + " characters of each character of a text");
        }
    }

    /** Remaining steps. */
    long steps() {
        return STEPS * length - steps;
    }

    /** @throws CalmException bad input: the limit is exceeded */
    void step(long taken, Object expression) {
        steps += taken;
        if (steps() < 0) {
            throw section.error("has the regular expression " + expression + ", which takes too many steps");
        }
    }
}
