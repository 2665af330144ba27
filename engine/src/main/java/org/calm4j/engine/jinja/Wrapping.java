package org.calm4j.engine.jinja;

import java.util.ArrayList;
import java.util.List;

/** The filter {@code wordwrap}: lines of a text broken at blanks and hyphens, as Python's {@code textwrap} does. */
final class Wrapping {
    private static final String BLANKS = "\t\n\u000B\f\r ";

    private final Budget budget;
    private final int width;
    private final boolean breakLong;
    private final boolean hyphens;

    private Wrapping(Budget budget, int width, boolean breakLong, boolean hyphens) {
        this.budget = budget;
        this.width = width;
        this.breakLong = breakLong;
        this.hyphens = hyphens;
    }

    static String wrap(String text, Arguments given, Budget budget) {
        Object[] values = given.bind("wordwrap", 0, "width", "break_long_words", "wrapstring", "break_on_hyphens");
        int width = Numbers.small(Arguments.or(values[0], 79L), "a width");
        if (width <= 0) {
            throw new TemplateFailure("wraps lines to a width of " + width);
        }
        Object end = Arguments.or(values[2], null);
        String by = end == null ? "\n" : Python.string(end);
        Wrapping wrapping = new Wrapping(
                budget,
                width,
                values[1] == Arguments.ABSENT || Python.truth(values[1]),
                values[3] == Arguments.ABSENT || Python.truth(values[3]));
        List<String> all = new ArrayList<>();
        for (Object line : Text.lines(text, false)) {
            List<String> lines = wrapping.lines((String) line);
            all.add(String.join(by, lines));
        }
        budget.text(text.length() + (long) by.length() * text.length() / width);
        return budget.made(String.join(by, all));
    }

    private List<String> lines(String text) {
        List<String> chunks = chunks(text);
        List<String> lines = new ArrayList<>();
        int at = 0;
        while (at < chunks.size()) {
            if (!lines.isEmpty() && isBlank(chunks.get(at))) {
                at++;
                continue;
            }
            List<String> line = new ArrayList<>();
            int length = 0;
            budget.step(64);
            while (at < chunks.size() && length + Text.length(chunks.get(at)) <= width) {
                line.add(chunks.get(at));
                length += Text.length(chunks.get(at++));
            }
            if (at < chunks.size() && Text.length(chunks.get(at)) > width) {
                String chunk = chunks.get(at);
                budget.step(chunk.length() / 2);
                if (breakLong) {
                    int fits = Math.max(1, width - length);
                    int cut = fits;
                    int hyphen = Text.sub(chunk, 0, Math.min(fits, Text.length(chunk)))
                            .lastIndexOf('-');
                    if (hyphens
                            && hyphen > 0
                            && chunk.substring(0, hyphen).chars().anyMatch(c -> c != '-')) {
                        cut = Text.places(chunk, hyphen) + 1;
                    }
                    line.add(Text.sub(chunk, 0, cut));
                    chunks.set(at, Text.sub(chunk, cut, Text.length(chunk)));
                } else if (line.isEmpty()) {
                    line.add(chunk);
                    at++;
                }
            }
            if (!line.isEmpty() && isBlank(line.getLast())) {
                line.removeLast();
            }
            if (!line.isEmpty()) {
                lines.add(String.join("", line));
            }
        }
        return lines;
    }

    private static boolean isBlank(String chunk) {
        return Text.isBlank(chunk, 0);
    }

    /** Blanks and words, these cut after the hyphens within them. */
    private List<String> chunks(String text) {
        List<String> chunks = new ArrayList<>();
        int at = 0;
        while (at < text.length()) {
            boolean blank = BLANKS.indexOf(text.charAt(at)) >= 0;
            int end = at;
            while (end < text.length() && BLANKS.indexOf(text.charAt(end)) >= 0 == blank) {
                end++;
            }
            if (!blank && hyphens) {
                words(text.substring(at, end), chunks);
            } else {
                chunks.add(text.substring(at, end));
            }
            at = end;
        }
        return chunks;
    }

    private static void words(String word, List<String> chunks) {
        int start = 0;
        for (int i = 1; i + 1 < word.length(); i++) {
            boolean between = word.charAt(i) == '-'
                    && i >= start + 2
                    && isLetter(word.charAt(i - 1))
                    && isLetter(word.charAt(i - 2))
                    && i + 2 < word.length()
                    && isLetter(word.charAt(i + 1))
                    && isLetter(word.charAt(i + 2));
            if (between) {
                chunks.add(word.substring(start, i + 1));
                start = i + 1;
            }
        }
        chunks.add(word.substring(start));
    }

    private static boolean isLetter(char c) {
        return Character.isLetter(c) || c == '_';
    }
}
