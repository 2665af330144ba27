package org.calm4j.engine.jinja;

import java.util.ArrayList;
import java.util.List;

/** Python's view of text: places are those of code points. */
final class Text {
    private static final int LONGEST_QUOTE = 80;

    private Text() {}

    static int length(String text) {
        return text.codePointCount(0, text.length());
    }

    private static boolean plain(String text) {
        for (int i = 0; i < text.length(); i++) {
            if (Character.isSurrogate(text.charAt(i))) {
                return false;
            }
        }
        return true;
    }

    /** From one code point up to another. */
    static String sub(String text, int from, int to) {
        if (plain(text)) {
            return text.substring(from, to);
        }
        int start = text.offsetByCodePoints(0, from);
        return text.substring(start, text.offsetByCodePoints(start, to - from));
    }

    /** How many code points there are before a place in Java's string. */
    static int places(String text, int index) {
        return text.codePointCount(0, index);
    }

    /** The place in Java's string of a code point. */
    static int index(String text, int place) {
        return plain(text) ? place : text.offsetByCodePoints(0, place);
    }

    static List<Object> characters(String text) {
        List<Object> characters = new ArrayList<>(text.length());
        for (int i = 0; i < text.length(); ) {
            int c = text.codePointAt(i);
            characters.add(Character.toString(c));
            i += Character.charCount(c);
        }
        return characters;
    }

    /** What Python counts as a blank. */
    static boolean isSpace(int c) {
        return c == ' '
                || c >= 9 && c <= 13
                || c >= 0x1C && c <= 0x1F
                || c == 0x85
                || c == 0xA0
                || c == 0x1680
                || c >= 0x2000 && c <= 0x200A
                || c == 0x2028
                || c == 0x2029
                || c == 0x202F
                || c == 0x205F
                || c == 0x3000;
    }

    static boolean isBlank(String text, int from) {
        for (int i = from; i < text.length(); i++) {
            if (!isSpace(text.charAt(i))) {
                return false;
            }
        }
        return true;
    }

    /** @param characters what to take away; null for blanks */
    static String strip(String text, String characters, boolean left, boolean right) {
        int from = 0;
        int to = text.length();
        while (left && from < to && strips(text.codePointAt(from), characters)) {
            from += Character.charCount(text.codePointAt(from));
        }
        while (right && to > from && strips(text.codePointBefore(to), characters)) {
            to -= Character.charCount(text.codePointBefore(to));
        }
        return text.substring(from, to);
    }

    private static boolean strips(int c, String characters) {
        return characters == null ? isSpace(c) : characters.indexOf(c) >= 0;
    }

    /** Where Python's {@code splitlines} ends a line: 0 for nowhere, else the length of the break. */
    static int lineBreak(String text, int at) {
        char c = text.charAt(at);
        if (c == '\r') {
            return at + 1 < text.length() && text.charAt(at + 1) == '\n' ? 2 : 1;
        }
        return c == '\n' || c == 0x0B || c == 0x0C || c >= 0x1C && c <= 0x1E || c == 0x85 || c == 0x2028 || c == 0x2029
                ? 1
                : 0;
    }

    static List<Object> lines(String text, boolean keepEnds) {
        List<Object> lines = new ArrayList<>();
        int start = 0;
        for (int i = 0; i < text.length(); ) {
            int length = lineBreak(text, i);
            if (length > 0) {
                lines.add(text.substring(start, keepEnds ? i + length : i));
                start = i + length;
            }
            i += Math.max(1, length);
        }
        if (start < text.length()) {
            lines.add(text.substring(start));
        }
        return lines;
    }

    static int compare(String a, String b) {
        int length = Math.min(a.length(), b.length());
        for (int i = 0; i < length; i++) {
            char x = a.charAt(i);
            char y = b.charAt(i);
            if (x != y) {
                // Surrogates encode the characters after all others.
                return Character.isSurrogate(x) == Character.isSurrogate(y)
                        ? Character.compare(x, y)
                        : Character.isSurrogate(x) ? 1 : -1;
            }
        }
        return Integer.compare(a.length(), b.length());
    }

    /** A name for a message: on one line, without control characters, at most 80 characters. */
    static String quote(String text) {
        return "\"" + oneLine(text, LONGEST_QUOTE) + "\"";
    }

    static String oneLine(String text, int longest) {
        StringBuilder line = new StringBuilder();
        String stripped = text.length() > 8 * longest ? text.substring(0, 8 * longest) : text;
        stripped.strip()
                .replaceAll("\\s*\\R\\s*", " ")
                .codePoints()
                .limit(longest + 1L)
                .forEach(c ->
                        line.append(Character.isISOControl(c) ? String.format("\\x%02x", c) : Character.toString(c)));
        return line.codePointCount(0, line.length()) > longest
                ? line.substring(0, line.offsetByCodePoints(0, longest)) + "…"
                : line.toString();
    }
}
