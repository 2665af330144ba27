package org.calm4j.calm.extract;

import java.util.LinkedHashSet;
import java.util.Set;

/** Lines with nothing but a label, or a label and its option's text. */
final class LabelLines {
    /** "Ansewr: B": how long the words before a label may be. */
    private static final int LONGEST_HEADING = 30;

    private final Choices choices;
    private final ParsedResponse passage;
    private final String text;
    private int from = -1;
    private int to = -1;

    LabelLines(Choices choices, ParsedResponse passage) {
        this.choices = choices;
        this.passage = passage;
        text = passage.text;
    }

    /**
     * The option of one label alone, however often; or, of several, of the last line's, unless the lines just repeat the options; -1 without.
     */
    int decides() {
        Set<Integer> found = new LinkedHashSet<>();
        int last = find(found, false);
        if (found.isEmpty()) {
            last = find(found, true);
        }
        if (found.size() == 1 || last >= 0 && found.size() < choices.size()) {
            return found.size() == 1 ? found.iterator().next() : last;
        }
        return found.isEmpty() ? opening() : -1;
    }

    private int find(Set<Integer> found, boolean headed) {
        int last = -1;
        for (int at = 0; at < text.length(); at++) {
            int end = text.indexOf('\n', at);
            end = end < 0 ? text.length() : end;
            if (passage.skip(at, " \r") < end) {
                last = label(headed ? heading(at, end) : at, end);
                if (last >= 0) {
                    found.add(last);
                    from = at;
                    to = end;
                }
            }
            at = end;
        }
        return last;
    }

    /** Where the last of the lines ends; 0 without. What stands before may just repeat the options. */
    int end() {
        return Math.max(0, to);
    }

    Extraction extraction() {
        int begin = passage.skip(from, " ");
        int label = passage.labels.at(firstLabel(begin));
        return passage.extraction(
                choices.label(label), Extraction.Rule.LABEL_LINE, begin, passage.back(to, " \r"), false);
    }

    private int firstLabel(int begin) {
        int heading = heading(begin, to);
        int at = undecorated(begin, to);
        return passage.labels.at(at) >= 0 ? at : undecorated(heading, to);
    }

    // "D. because …": a response that opens with a label.
    private int opening() {
        int start = 0;
        while (start < text.length()
                && (CharClass.decoration(text.charAt(start)) || Character.isWhitespace(text.charAt(start)))) {
            start++;
        }
        int label = start < text.length() ? passage.labels.at(start) : -1;
        int end = label < 0 ? 0 : passage.labels.end(start);
        boolean marked = label >= 0
                && !Character.isLowerCase(text.charAt(start))
                && end < text.length()
                && (CharClass.closing(text.charAt(end)) || ".:、,".indexOf(text.charAt(end)) >= 0);
        if (!marked) {
            return -1;
        }
        from = start;
        to = end;
        return label;
    }

    private int undecorated(int at, int end) {
        int start = at;
        while (start < end && (CharClass.decoration(text.charAt(start)) || text.charAt(start) == ' ')) {
            // "\\text{B}"
            int word = text.charAt(start) == '\\' ? start + 1 : end;
            while (word < Math.min(end, start + LONGEST_HEADING) && CharClass.spaced(text.charAt(word))) {
                word++;
            }
            start = word < end && text.charAt(word) == '{' ? word : start + 1;
        }
        return start;
    }

    // After the colon of a few words before a label; the end without one.
    private int heading(int at, int end) {
        for (int i = at; i < Math.min(end, at + LONGEST_HEADING); i++) {
            if (passage.phrases.match(Word.WRONG, i) > 0
                    || passage.phrases.match(Word.MISTAKE, i) > 0
                    || passage.phrases.match(Word.OTHER, i) > 0
                    || passage.phrases.match(Word.NOT, i) > 0) {
                return end;
            }
            if (text.charAt(i) == ':') {
                return i + 1;
            }
        }
        return end;
    }

    private int label(int from, int to) {
        int start = undecorated(from, to);
        int end = to;
        while (end > start
                && (CharClass.decoration(text.charAt(end - 1)) || " .:。,;!\r".indexOf(text.charAt(end - 1)) >= 0)) {
            end--;
        }
        int label = start < end ? passage.labels.at(start) : -1;
        if (label < 0) {
            return -1;
        }
        int close = passage.labels.end(start);
        int rest = close;
        while (rest < end && (CharClass.closing(text.charAt(rest)) || " .:、-".indexOf(text.charAt(rest)) >= 0)) {
            rest++;
        }
        boolean whole = rest >= end
                || rest > close && passage.lower.substring(rest, end).equals(choices.text(label));
        return whole ? label : -1;
    }
}
