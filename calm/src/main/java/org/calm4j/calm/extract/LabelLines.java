package org.calm4j.calm.extract;

import java.util.LinkedHashSet;
import java.util.Set;

/** Lines with nothing but a label, or a label and its option's text. */
final class LabelLines {
    private final Choices choices;
    private final String text;
    private int at;
    private int from = -1;
    private int to = -1;

    /** @param text folded */
    LabelLines(Choices choices, String text) {
        this.choices = choices;
        this.text = text;
    }

    /** One label alone, however often; or, of several, the last line's, unless the lines just repeat the options; null without. */
    Extraction extraction() {
        Set<Integer> labels = new LinkedHashSet<>();
        int last = -1;
        for (at = 0; at < text.length(); at++) {
            int end = text.indexOf('\n', at);
            end = end < 0 ? text.length() : end;
            String line = text.substring(at, end);
            if (!line.isBlank()) {
                last = label(line);
                if (last >= 0) {
                    labels.add(last);
                    from = at;
                    to = end;
                }
            }
            at = end;
        }
        if (labels.size() == 1) {
            return found(labels.iterator().next());
        }
        if (last >= 0 && labels.size() < choices.size()) {
            return found(last);
        }
        return labels.isEmpty() ? opening() : null;
    }

    /** Where the last of the lines ends; 0 without. What stands before may just repeat the options. */
    int end() {
        return Math.max(0, to);
    }

    private Extraction found(int label) {
        return new Extraction(choices.label(label), Extraction.Rule.LABEL_LINE, text.substring(from, to).strip(), from, false);
    }

    // "D. because …": a response that opens with a label.
    private Extraction opening() {
        int start = 0;
        while (start < text.length() && (CharClass.decoration(text.charAt(start)) || Character.isWhitespace(text.charAt(start)))) {
            start++;
        }
        int label = start < text.length() ? choices.labelAt(text, start) : -1;
        int end = label < 0 ? 0 : start + choices.label(label).length();
        boolean marked = label >= 0 && !Character.isLowerCase(text.charAt(start)) && end < text.length()
                && (CharClass.closing(text.charAt(end)) || ".:、,".indexOf(text.charAt(end)) >= 0);
        if (!marked) {
            return null;
        }
        from = start;
        to = end;
        return found(label);
    }

    private int label(String line) {
        int start = 0;
        int end = line.length();
        while (start < end && (CharClass.decoration(line.charAt(start)) || line.charAt(start) == ' ')) {
            start++;
        }
        while (end > start && (CharClass.decoration(line.charAt(end - 1)) || " .:。,;!\r".indexOf(line.charAt(end - 1)) >= 0)) {
            end--;
        }
        String bare = line.substring(start, end);
        int label = choices.labelAt(bare, 0);
        if (label < 0) {
            return -1;
        }
        int rest = choices.label(label).length();
        while (rest < bare.length() && (CharClass.closing(bare.charAt(rest)) || " .:、-".indexOf(bare.charAt(rest)) >= 0)) {
            rest++;
        }
        boolean marked = rest > choices.label(label).length();
        return rest == bare.length() || marked && CharClass.lower(bare.substring(rest)).equals(choices.text(label)) ? label : -1;
    }
}
