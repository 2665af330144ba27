package org.calm4j.calm.extract;

import java.text.Normalizer;

/** Kinds of characters, and texts in the form in which they are searched. */
final class CharClass {
    /** Stands for a no-break space inside a name, where it counts as a letter. */
    static final char JOINER = '\uE000';
    private static final String APOSTROPHES = "’ʼ‘`´";
    private static final String SPACES = "\u00A0\u202F\u2009\u3000";

    private CharClass() {
    }

    /** A letter or digit of a script that puts spaces between words. */
    static boolean spaced(char c) {
        return c < 128 ? c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
                : Character.isLetterOrDigit(c) && !unspaced(c);
    }

    /** Han, kana, Hangul and Thai: words stand side by side, or take endings without a space. */
    static boolean unspaced(char c) {
        return c >= '\u2E80' && c <= '\u9FFF' || c >= '\uAC00' && c <= '\uD7AF' || c >= '\uF900' && c <= '\uFAFF' 
                || c >= '\u0E00' && c <= '\u0E7F' || Character.isSurrogate(c);
    }

    /** Anything that a word is made of. */
    static boolean word(char c) {
        return Character.isLetterOrDigit(c) || c == JOINER || Character.isSurrogate(c);
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
        return ".:;,!?。、；，：！？|\n".indexOf(c) >= 0;
    }

    /** In Unicode's composed form, NFC. */
    static String composed(String text) {
        return Normalizer.isNormalized(text, Normalizer.Form.NFC) ? text : Normalizer.normalize(text, Normalizer.Form.NFC);
    }

    /** Full-width and circled characters as ASCII, all apostrophes and spaces as one; as long as its composed form. */
    static String folded(String text) {
        String composed = composed(text);
        char[] folded = null;
        for (int i = 0; i < composed.length(); i++) {
            char c = composed.charAt(i);
            char to = c < 128 && c != '`' ? c : folded(c);
            if (to != c) {
                folded = folded == null ? composed.toCharArray() : folded;
                folded[i] = to;
            }
        }
        return folded == null ? composed : new String(folded);
    }

    private static char folded(char c) {
        if (c >= '\uFF01' && c <= '\uFF5E') {
            return (char) (c - 0xFF01 + '!');
        }
        if (c >= 'Ⓐ' && c <= 'Ⓩ') {
            return (char) (c - 'Ⓐ' + 'A');
        }
        return APOSTROPHES.indexOf(c) >= 0 ? '\'' : SPACES.indexOf(c) >= 0 ? ' ' : c;
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
