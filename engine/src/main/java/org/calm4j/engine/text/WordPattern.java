package org.calm4j.engine.text;

import static org.calm4j.engine.text.CharacterClass.LETTER;
import static org.calm4j.engine.text.CharacterClass.NUMBER;
import static org.calm4j.engine.text.CharacterClass.OTHER;
import static org.calm4j.engine.text.CharacterClass.SPACE;

import it.unimi.dsi.fastutil.ints.IntArrayList;

/** Regular expressions of known tokenizers, scanned by hand: one pass, no backtracking. Each covers the whole text. */
enum WordPattern implements TextPattern {
    /** What the pre-tokenizer ByteLevel has for its own. */
    BYTE_LEVEL("'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+", 0),
    THREE_DIGITS(
            "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|"
                    + "\\s+(?!\\S)|\\s+",
            3),
    ONE_DIGIT(
            "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|"
                    + "\\s+",
            1);

    private final String regex;
    /** Maximum digits of a word; 0 for the expression of ByteLevel, which differs from the others in more than that. */
    private final int digits;

    WordPattern(String regex, int digits) {
        this.regex = regex;
        this.digits = digits;
    }

    String regex() {
        return regex;
    }

    /** Null for an unknown expression. */
    static WordPattern of(String regex) {
        for (WordPattern pattern : values()) {
            if (pattern.regex.equals(regex)) {
                return pattern;
            }
        }
        return null;
    }

    @Override
    public void find(String text, IntArrayList matches, Allowance allowance) {
        for (int at = 0; at < text.length(); ) {
            int end = digits == 0 ? byteLevel(text, at) : newer(text, at);
            matches.add(at);
            matches.add(end);
            at = end;
        }
    }

    private static int byteLevel(String text, int at) {
        int end = contraction(text, at, false);
        if (end > at) {
            return end;
        }
        int from = blankBeforeWord(text, at) ? at + 1 : at;
        byte kind = classAt(text, from);
        return kind == SPACE ? blanks(text, at) : run(text, from, kind, Integer.MAX_VALUE);
    }

    private int newer(String text, int at) {
        int end = contraction(text, at, true);
        if (end > at) {
            return end;
        }
        byte kind = classAt(text, at);
        char first = text.charAt(at);
        if (kind == LETTER) {
            return run(text, at, LETTER, Integer.MAX_VALUE);
        }
        if (kind == NUMBER) {
            return run(text, at, NUMBER, digits);
        }
        int next = at + Character.charCount(text.codePointAt(at));
        if (first != '\r' && first != '\n' && next < text.length() && classAt(text, next) == LETTER) {
            return run(text, next, LETTER, Integer.MAX_VALUE);
        }
        int from = first == ' ' && next < text.length() && classAt(text, next) == OTHER ? next : at;
        if (classAt(text, from) == OTHER) {
            int to = run(text, from, OTHER, Integer.MAX_VALUE);
            while (to < text.length() && isLineBreak(text.charAt(to))) {
                to++;
            }
            return to;
        }
        int lineBreak = run(text, at, SPACE, Integer.MAX_VALUE);
        while (lineBreak > at && !isLineBreak(text.charAt(lineBreak - 1))) {
            lineBreak--;
        }
        return lineBreak > at ? lineBreak : blanks(text, at);
    }

    private static boolean isLineBreak(char c) {
        return c == '\r' || c == '\n';
    }

    private static byte classAt(String text, int at) {
        char c = text.charAt(at);
        return CharacterClass.of(Character.isHighSurrogate(c) ? text.codePointAt(at) : c);
    }

    private static boolean blankBeforeWord(String text, int at) {
        return text.charAt(at) == ' ' && at + 1 < text.length() && classAt(text, at + 1) != SPACE;
    }

    /** The end of a run of one class. */
    private static int run(String text, int from, byte kind, int most) {
        int at = from;
        for (int n = 0; n < most && at < text.length() && classAt(text, at) == kind; n++) {
            at += Character.isHighSurrogate(text.charAt(at)) ? Character.charCount(text.codePointAt(at)) : 1;
        }
        return at;
    }

    /** {@code \s+(?!\S)|\s+}: all blanks, less the last one where a word follows and it is not the only one. */
    private static int blanks(String text, int at) {
        int end = run(text, at, SPACE, Integer.MAX_VALUE);
        return end < text.length() && end > at + 1 ? end - 1 : end;
    }

    private static int contraction(String text, int at, boolean anyCase) {
        if (text.charAt(at) != '\'' || at + 1 >= text.length()) {
            return at;
        }
        char first = letter(text.charAt(at + 1), anyCase);
        if (first == 's' || first == 't' || first == 'm' || first == 'd') {
            return at + 2;
        }
        char second = at + 2 < text.length() ? letter(text.charAt(at + 2), anyCase) : 0;
        boolean two = first == 'r' && second == 'e' || first == 'v' && second == 'e' || first == 'l' && second == 'l';
        return two ? at + 3 : at;
    }

    /** In lower case, if case does not matter; the long s is an s, too. */
    private static char letter(char c, boolean anyCase) {
        if (!anyCase) {
            return c;
        }
        return c == 'ſ' ? 's' : c >= 'A' && c <= 'Z' ? (char) (c + 32) : c;
    }
}
