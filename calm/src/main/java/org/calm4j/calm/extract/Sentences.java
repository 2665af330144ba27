package org.calm4j.calm.extract;

/** Of each place of a text: where its sentence begins, and what was said in it so far that bears on what comes. */
final class Sentences {
    private static final int REACH = 60;

    private final int[] start;
    private final int[] aside;
    private final int[] decline;
    private final int[] denial;

    Sentences(String text, Labels labels, Choices choices, String lower, Phrases phrases) {
        int size = text.length();
        start = new int[size + 1];
        aside = new int[size + 1];
        decline = new int[size + 1];
        denial = new int[size + 1];
        int from = 0;
        int lastAside = -1;
        int lastDecline = -1;
        int lastDenial = -1;
        for (int at = 0; at <= size; at++) {
            if (at > 0 && ends(text, at - 1, labels, choices, lower)) {
                from = at;
                lastAside = -1;
                lastDenial = -1;
            }
            if (at < size) {
                lastAside = lastAside < 0 && phrases.match(Word.ASIDE, at) > 0 ? at : lastAside;
                lastDecline = phrases.match(Word.DECLINE, at) > 0
                                || phrases.match(Word.ABSENT, at) > 0
                                || phrases.match(Word.UNLISTED, at) > 0
                        ? at
                        : lastDecline;
                boolean pause = CharClass.pause(text.charAt(at))
                        || phrases.match(Word.BUT, at) > 0
                        || phrases.match(Word.CONCLUSION, at) > 0;
                lastDenial = pause || at - lastDenial > REACH ? -1 : lastDenial;
                int none = CharClass.spaced(text.charAt(at))
                        ? Math.max(phrases.match(Word.NONE, at), phrases.match(Word.ABSENT, at))
                        : 0;
                lastDenial = none > 0 && phrases.match(Word.OTHER, at) == 0 ? at + none : lastDenial;
            }
            start[at] = from;
            aside[at] = lastAside;
            decline[at] = lastDecline;
            denial[at] = lastDenial;
        }
    }

    int start(int at) {
        return start[at];
    }

    /** Whether what a sentence says here depends on an "if" before it, or is what others say. */
    boolean aside(int at) {
        return aside[at] >= 0 && aside[at] < at;
    }

    /** Whether one follows, in the same sentence and in a passage. */
    boolean aside(int from, int to) {
        return start[from] == start[to - 1] && aside[to - 1] >= from;
    }

    /** Whether a passage says that there is no answer. */
    boolean declines(int from, int to) {
        return to > from && decline[to - 1] >= from;
    }

    /** Where the words "none of …" ended that are said of what stands here; -1 without. */
    int denied(int at) {
        return denial[at] > at ? -1 : denial[at];
    }

    /** Whether a sentence ends with a character; it doesn't with the full stop of a label that its option's text follows. */
    private static boolean ends(String text, int at, Labels labels, Choices choices, String lower) {
        char c = text.charAt(at);
        if ("。！？\n।۔؟".indexOf(c) >= 0) {
            return true;
        }
        if (".!?".indexOf(c) < 0 || at + 1 < text.length() && !Character.isWhitespace(text.charAt(at + 1))) {
            return false;
        }
        int label = at - 1;
        boolean labelled = label >= 0
                && labels.at(label) >= 0
                && labels.end(label) == at
                && (label == 0 || !CharClass.word(text.charAt(label - 1)));
        if (!labelled || c != '.') {
            return true;
        }
        int next = at + 1;
        while (next < text.length() && text.charAt(next) == ' ') {
            next++;
        }
        return next == text.length()
                || !lower.startsWith(choices.text(labels.at(label)), next) && Character.isUpperCase(text.charAt(next));
    }
}
