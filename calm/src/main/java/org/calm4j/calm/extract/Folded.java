package org.calm4j.calm.extract;

import java.text.Normalizer;
import java.util.Arrays;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A text in the form that is searched: without invisible characters, with the many forms of a Latin letter as that letter, all apostrophes
 * and spaces as one.
 *
 * @param text folded
 * @param names the same in lower case, where {@link CharClass#JOINER} stands for a no-break space inside a name
 * @param composed as it was written, in Unicode's composed form, NFC
 * @param places for each character of {@code text} its place in {@code composed}, and at the end the length of {@code composed}
 * @param thinking whether the text ends inside a thought
 */
record Folded(String text, String names, String composed, int[] places, boolean thinking) {
    private static final String APOSTROPHES = "’ʼ‘`´";
    private static final String SPACES = "\u00A0\u202F\u2009\u3000\t";
    private static final Pattern THOUGHT = Pattern.compile("(?i)[<\\[◁](/?)(?:think|thinking|thought)[>\\]▷]");

    /** Any text. */
    static Folded of(String text) {
        String composed = CharClass.composed(text);
        Builder folded = new Builder(composed);
        folded.add(0, composed.length());
        return folded.build(false);
    }

    /** A response, whose thoughts, between {@code <think>} and {@code </think>}, are not part of what it says. */
    static Folded response(String text) {
        String composed = CharClass.composed(text);
        Builder folded = new Builder(composed);
        Matcher tag = THOUGHT.matcher(composed);
        int said = 0;
        boolean thinking = false;
        while (tag.find()) {
            if (tag.group(1).isEmpty()) {
                if (!thinking) {
                    folded.add(said, tag.start());
                }
                thinking = true;
            } else {
                // A prompt may end with <think>, so that the response has the other tag alone.
                if (!thinking) {
                    folded.clear();
                }
                thinking = false;
                folded.newline(tag.end() - 1);
                said = tag.end();
            }
        }
        if (!thinking) {
            folded.add(said, composed.length());
        }
        return folded.build(thinking);
    }

    /** What stands between two places of {@link #text}, as it was written. */
    String written(int from, int to) {
        return to <= from ? "" : composed.substring(places[from], Math.max(places[from], lastOf(places[to - 1])));
    }

    private int lastOf(int place) {
        return place + Character.charCount(composed.codePointAt(place));
    }

    private static final class Builder {
        private final String composed;
        private final StringBuilder text = new StringBuilder();
        private final StringBuilder names = new StringBuilder();
        private int[] places;

        Builder(String composed) {
            this.composed = composed;
            places = new int[composed.length() + 16];
        }

        void clear() {
            text.setLength(0);
            names.setLength(0);
        }

        void newline(int place) {
            put('\n', '\n', place);
        }

        void add(int from, int to) {
            for (int at = from; at < to; at++) {
                char c = composed.charAt(at);
                if (c < 128 && c != '`' && c != '\t') {
                    put(c, Character.toLowerCase(c), at);
                } else if (Character.isHighSurrogate(c) && at + 1 < to) {
                    addOne(composed.codePointAt(at), at);
                    at++;
                } else if (c == '\u00A0') {
                    // A no-break space joins the words of a name; beside punctuation, as French has it, it is a space.
                    boolean within = at > from
                            && at + 1 < to
                            && Character.isLetterOrDigit(composed.charAt(at - 1))
                            && Character.isLetterOrDigit(composed.charAt(at + 1));
                    put(' ', within ? CharClass.JOINER : ' ', at);
                } else if (c >= '⒜' && c <= '⒵') {
                    put('(', '(', at);
                    put((char) (c - '⒜' + 'a'), (char) (c - '⒜' + 'a'), at);
                    put(')', ')', at);
                } else if (!invisible(c)) {
                    char folded = folded(c);
                    put(folded, Character.toLowerCase(folded), at);
                }
            }
        }

        private void addOne(int codePoint, int at) {
            int letter = letter(codePoint);
            if (letter > 0) {
                put((char) letter, Character.toLowerCase((char) letter), at);
            } else if (!(Character.getType(codePoint) == Character.FORMAT)) {
                for (char half : Character.toChars(codePoint)) {
                    put(half, half, at);
                }
            }
        }

        private void put(char c, char name, int place) {
            if (text.length() == places.length) {
                places = Arrays.copyOf(places, places.length * 2);
            }
            places[text.length()] = place;
            text.append(c);
            names.append(name);
        }

        Folded build(boolean thinking) {
            int[] kept = Arrays.copyOf(places, text.length() + 1);
            kept[text.length()] = composed.length();
            return new Folded(text.toString(), names.toString(), composed, kept, thinking);
        }
    }

    // Marks of direction, zero-width characters, soft hyphens, and what chooses between a sign and its picture.
    private static boolean invisible(char c) {
        return Character.getType(c) == Character.FORMAT
                || c >= '\uFE00' && c <= '\uFE0F'
                || c == '\u20E3'
                || c == '\u034F';
    }

    private static char folded(char c) {
        if (c >= '\uFF01' && c <= '\uFF5E') {
            return (char) (c - 0xFF01 + '!');
        }
        if (c >= 'Ⓐ' && c <= 'Ⓩ') {
            return (char) (c - 'Ⓐ' + 'A');
        }
        if (c >= 'ⓐ' && c <= 'ⓩ') {
            return (char) (c - 'ⓐ' + 'a');
        }
        return APOSTROPHES.indexOf(c) >= 0 ? '\'' : SPACES.indexOf(c) >= 0 ? ' ' : c;
    }

    // Bold, italic, circled, squared: the ASCII letter or digit; 0 for other code points.
    private static int letter(int codePoint) {
        for (int first : new int[] {0x1F130, 0x1F150, 0x1F170}) {
            if (codePoint >= first && codePoint < first + 26) {
                return codePoint - first + 'A';
            }
        }
        if (codePoint < 0x1D400 || codePoint > 0x1D7FF) {
            return 0;
        }
        String plain = Normalizer.normalize(Character.toString(codePoint), Normalizer.Form.NFKC);
        return plain.length() == 1 && plain.charAt(0) < 128 ? plain.charAt(0) : 0;
    }
}
