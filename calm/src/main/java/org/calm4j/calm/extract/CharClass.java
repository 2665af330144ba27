package org.calm4j.calm.extract;

import java.text.Normalizer;

/** Kinds of characters. */
final class CharClass {
    /** Stands for a no-break space inside a name, where it counts as a letter. */
    static final char JOINER = '\uE000';

    private CharClass() {}

    /** A letter or digit of a script that puts spaces between words. */
    static boolean spaced(char c) {
        return c < 128
                ? c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
                : Character.isLetterOrDigit(c) && !unspaced(c);
    }

    /** Han, kana, Hangul and Thai: words stand side by side, or take endings without a space. */
    static boolean unspaced(char c) {
        return c >= '\u2E80' && c <= '\u9FFF'
                || c >= '\uAC00' && c <= '\uD7AF'
                || c >= '\uF900' && c <= '\uFAFF'
                || c >= '\u0E00' && c <= '\u0E7F'
                || Character.isSurrogate(c);
    }

    /** Anything that a word is made of. */
    static boolean word(char c) {
        return Character.isLetterOrDigit(c) || c == JOINER || Character.isSurrogate(c);
    }

    /** A letter, or the sign of a vowel that belongs to one. */
    static boolean letter(char c) {
        return Character.isLetter(c)
                || Character.getType(c) == Character.NON_SPACING_MARK
                || Character.getType(c) == Character.COMBINING_SPACING_MARK;
    }

    /** Brackets, quotes, emphasis: what may stand around a label. */
    static boolean decoration(char c) {
        return "*_\"'“”«»„()[]{}<>#~$\\「」『』【】《》〈〉〔〕".indexOf(c) >= 0;
    }

    static boolean closing(char c) {
        return ")]}*\"”'»」』】》>_$".indexOf(c) >= 0;
    }

    /** A sentence's end, or a pause in it. */
    static boolean pause(char c) {
        return ".:;,!?。、；，：！？|\n؟،।۔".indexOf(c) >= 0;
    }

    /** In Unicode's composed form, NFC. */
    static String composed(String text) {
        return Normalizer.isNormalized(text, Normalizer.Form.NFC)
                ? text
                : Normalizer.normalize(text, Normalizer.Form.NFC);
    }

    /** Lower case without a change of length. */
    static String lower(String text) {
        char[] lower = text.toCharArray();
        for (int i = 0; i < lower.length; i++) {
            lower[i] = Character.toLowerCase(lower[i]);
        }
        return new String(lower);
    }
}
