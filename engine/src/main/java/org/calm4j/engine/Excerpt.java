package org.calm4j.engine;

import java.util.regex.Pattern;

/** Text from files in a message: short, on one line, and without characters that control a terminal. */
public final class Excerpt {
    private static final int LONGEST = 80;
    private static final int LONGEST_LINE = 600;
    private static final int LONGEST_PATH = 300;
    private static final int LINES = 3;
    private static final Pattern WORD = Pattern.compile("\\S{81,}");
    /** A word that may be a path and is not a piece of JSON. */
    private static final Pattern PATH = Pattern.compile("(?!.*\\\\u[0-9a-f]{4})[^\"{}\\[\\]]*[/\\\\:][^\"{}\\[\\]]*");

    private Excerpt() {}

    /** A value: at most 80 characters, escaped. */
    public static String of(Object value) {
        String text = String.valueOf(value);
        return cut(escaped(cut(text, LONGEST)), LONGEST);
    }

    /** A whole message, which may contain uncut values: at most three lines, escaped. */
    public static String message(String text) {
        StringBuilder message = new StringBuilder();
        int lines = 0;
        for (String line : (Iterable<String>) text.lines()::iterator) {
            if (lines++ == LINES) {
                break;
            }
            String plain = WORD.matcher(escaped(line))
                    .replaceAll(word -> java.util.regex.Matcher.quoteReplacement(
                            cut(word.group(), PATH.matcher(word.group()).matches() ? LONGEST_PATH : LONGEST)));
            if (plain.length() > LONGEST_LINE) {
                // The remedy is at the end.
                int end = plain.length() - LONGEST_LINE / 3;
                plain = cut(plain, LONGEST_LINE * 2 / 3) + " "
                        + plain.substring(Character.isLowSurrogate(plain.charAt(end)) ? end + 1 : end);
            }
            message.append(message.isEmpty() ? "" : "\n").append(plain);
        }
        return message.toString();
    }

    private static String cut(String text, int most) {
        if (text.length() <= most) {
            return text;
        }
        int end = most - 1;
        return text.substring(0, Character.isHighSurrogate(text.charAt(end - 1)) ? end - 1 : end) + "…";
    }

    private static String escaped(String text) {
        if (text.codePoints().noneMatch(Excerpt::isObeyed)) {
            return text;
        }
        StringBuilder plain = new StringBuilder();
        text.codePoints().forEach(c -> {
            if (!isObeyed(c)) {
                plain.appendCodePoint(c);
            } else if (c == '\n' || c == '\r' || c == '\t') {
                plain.append(c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t");
            } else {
                plain.append(String.format("\\u%04x", c));
            }
        });
        return plain.toString();
    }

    /** Control characters, those that turn the direction of the text or cannot be seen, and halves of characters. */
    private static boolean isObeyed(int c) {
        int type = Character.getType(c);
        return type == Character.CONTROL
                || type == Character.FORMAT
                || type == Character.LINE_SEPARATOR
                || type == Character.PARAGRAPH_SEPARATOR
                || type == Character.SURROGATE;
    }
}
