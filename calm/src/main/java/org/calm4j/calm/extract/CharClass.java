package org.calm4j.calm.extract;

/** Kinds of characters. */
final class CharClass {
    /** Stands for a no-break space inside a name, where it counts as a letter. */
    static final char JOINER = '\uE000';

    private CharClass() {
    }

    /** A letter or digit of a script that puts spaces between words. */
    static boolean spaced(char c) {
        return Character.isLetterOrDigit(c) && !unspaced(c);
    }

    /** Han, kana and Hangul: words stand side by side, or take endings without a space. */
    static boolean unspaced(char c) {
        return c >= '\u2E80' && c <= '\u9FFF' || c >= '\uAC00' && c <= '\uD7AF' || c >= '\uF900' && c <= '\uFAFF' || Character.isSurrogate(c);
    }

    /** Anything that a word is made of. */
    static boolean word(char c) {
        return Character.isLetterOrDigit(c) || c == JOINER || Character.isSurrogate(c);
    }

    /** Brackets, quotes, emphasis: what may stand around a label. */
    static boolean decoration(char c) {
        return "*_\"'`“”‘’«»„()[]{}<>#~$\\「」『』【】《》〈〉".indexOf(c) >= 0;
    }

    static boolean closing(char c) {
        return ")]}*\"”’»」』】》".indexOf(c) >= 0;
    }
}
