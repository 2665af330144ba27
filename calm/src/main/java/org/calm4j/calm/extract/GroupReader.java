package org.calm4j.calm.extract;

import java.util.LinkedHashSet;
import java.util.Set;

/** Reads labels that stand side by side. How far it looks is bounded. */
final class GroupReader {
    /** How far after an answer to look for a second one, and for the end of a bracket. */
    private static final int REACH = 240;

    private static final Set<Word> VERDICTS =
            Set.of(Word.CORRECT, Word.WRONG, Word.MISTAKE, Word.DENIAL, Word.NOT, Word.ASIDE, Word.THIS);

    private final Choices choices;
    private final ParsedResponse passage;
    private final Labels labels;
    private final String text;
    private final String lower;

    GroupReader(Choices choices, ParsedResponse passage) {
        this.choices = choices;
        this.passage = passage;
        labels = passage.labels;
        text = passage.text;
        lower = passage.lower;
    }

    /** @param at where a label stands */
    Group at(int at) {
        return at(at, false);
    }

    /**
     * What an answer names: in "B and C is wrong" the second belongs to what follows.
     *
     * @param at where a label stands
     */
    Group answer(int at) {
        return at(at, true);
    }

    private Group at(int at, boolean answer) {
        int label = labels.at(at);
        int end = labels.end(at);
        int behind = skipOption(label, end);
        Set<Integer> members = new LinkedHashSet<>();
        members.add(label);
        for (int i = 0; i < choices.size(); i++) {
            int last = range(label, end);
            int next = last >= 0 ? last : beside(label, end, behind);
            if (next < 0) {
                break;
            }
            int other = labels.at(next);
            int after = skipOption(other, labels.end(next));
            boolean second = answer && members.size() == 1 && last < 0 && or(passage.skip(behind, " ")) > 0;
            if (second && CharClass.spaced(text.charAt(passage.back(next, " (\"'*[") - 1)) && wrongAhead(after)) {
                break;
            }
            for (int each = label; last >= 0 && each < other; each++) {
                members.add(each);
            }
            members.add(other);
            label = other;
            end = labels.end(next);
            behind = after;
        }
        return new Group(members, behind);
    }

    /** The place after a label, its closing, and its option's text or a bracket. */
    int skipOption(int label, int end) {
        int at = passage.skip(end, " ).:]}$>\"'”*、-–");
        String own = choices.text(label);
        if (!own.isEmpty() && lower.startsWith(own, at)) {
            return passage.skip(at + own.length(), " )\"'”*]}$>");
        }
        int open = passage.skip(end, " *");
        if (open < text.length() && text.charAt(open) == '(') {
            int close = open + 1 + own.length();
            if (close < text.length() && text.charAt(close) == ')' && lower.startsWith(own, open + 1)) {
                return close + 1;
            }
        }
        return passage.skip(end, " )\"'”*]}$>");
    }

    /** The place after a bracket that explains an option; the place itself without one. */
    int skipBracket(int at) {
        int open = passage.skip(at, " *");
        if (open >= text.length() || "([（".indexOf(text.charAt(open)) < 0) {
            return at;
        }
        int first = passage.skip(open + 1, " \"'");
        for (Word word : VERDICTS) {
            if (passage.phrases.match(word, first) > 0 && word != Word.ASIDE) {
                return at;
            }
        }
        int depth = 0;
        for (int i = open; i < Math.min(text.length(), open + REACH) && text.charAt(i) != '\n'; i++) {
            depth += text.charAt(i) == '(' || text.charAt(i) == '['
                    ? 1
                    : text.charAt(i) == ')' || text.charAt(i) == ']' ? -1 : 0;
            if (depth == 0) {
                return i + 1;
            }
            if (i > open && upper(i) >= 0) {
                return at;
            }
        }
        return at;
    }

    private boolean wrongAhead(int at) {
        int start = passage.skip(at, " ");
        int link = Math.max(passage.phrases.match(Word.LINK, start), passage.phrases.match(Word.NOT, start));
        return passage.phrases.match(Word.WRONG, start) > 0
                || link > 0
                        && (passage.phrases.match(Word.WRONG, passage.skip(start + link, " ")) > 0
                                || passage.phrases.match(Word.NOT, start) > 0);
    }

    // Where the other end of "A to E" stands; -1 without.
    private int range(int label, int end) {
        int at = passage.skip(end, " ).\"");
        if (at >= text.length()) {
            return -1;
        }
        int word = "-–—~〜～".indexOf(text.charAt(at)) >= 0 ? 1 : passage.phrases.match(Word.RANGE, at);
        int next = word == 0 ? -1 : passage.skip(at + word, " (\"");
        if (next < 0 || upper(next) <= label) {
            return -1;
        }
        int after = labels.end(next);
        boolean goesOn = after < text.length() && "-:".indexOf(text.charAt(after)) >= 0;
        return goesOn ? -1 : next;
    }

    private int beside(int label, int end, int behind) {
        int next = beside(label, behind);
        next = next < 0 && behind > end ? beside(label, passage.skip(end, " )]")) : next;
        int bracket = next < 0 ? skipBracket(behind) : behind;
        return next < 0 && bracket > behind ? beside(label, bracket) : next;
    }

    // "B D", "A, C", "A、B", "C或E", "A and E", "A (…) B (…)": where the second stands; -1 without.
    private int beside(int label, int from) {
        int at = passage.skip(from, " ");
        boolean spaced = at > from || at > 0 && text.charAt(at - 1) == ' ' || at > 0 && text.charAt(at - 1) == ')';
        boolean comma = at < text.length() && ",;、/|&+・،".indexOf(text.charAt(at)) >= 0;
        int word = comma ? passage.skip(at + 1, " ") : at;
        int or = or(word);
        int next = passage.skip(word + or, " (\"'*[<$\\{");
        int filler = comma || or > 0 ? passage.phrases.match(Word.FILLER, next) : 0;
        next = filler > 0 && upper(passage.skip(next + filler, " (\"'*[<{")) >= 0
                ? passage.skip(next + filler, " (\"'*[<{")
                : next;
        int other = upper(next);
        if (other < 0 || other == label || !comma && or == 0 && !spaced) {
            return -1;
        }
        int close = labels.end(next);
        int after = passage.skip(close, " )\"'*]>");
        if (or > 0) {
            return next;
        }
        // "B, A is too narrow" goes on with a word.
        boolean alone = after == text.length()
                || !CharClass.spaced(text.charAt(after)) && text.charAt(after) != '\''
                || text.charAt(close) == '.'
                || or(after) > 0
                || text.charAt(close) == ')';
        boolean ended = comma || after == text.length() || "\n(.".indexOf(text.charAt(after)) >= 0 || upper(after) >= 0;
        return alone && ended ? next : -1;
    }

    /** "A. Canada (or E. Open Country)": whether the first other label in the rest of the line is one that a conjunction leads to. */
    boolean joinedLater(int label, int end, int from) {
        String first = word(passage.skip(end, " ("));
        int reach = Math.min(text.length(), from + REACH);
        for (int at = from; at < reach && text.charAt(at) != '\n' && text.charAt(at) != '。'; at++) {
            if (at > 0 && CharClass.spaced(text.charAt(at - 1))) {
                continue;
            }
            int or = or(at);
            int next = or == 0 ? at : passage.skip(at + or, " (\"'*[<$\\{");
            int boxed = or == 0 ? 0 : passage.phrases.match(Word.FILLER, next);
            next = boxed > 0 && upper(passage.skip(next + boxed, " (\"'*[<{")) >= 0
                    ? passage.skip(next + boxed, " (\"'*[<{")
                    : next;
            int other = upper(next);
            if (other < 0 || other == label) {
                continue;
            }
            int close = labels.end(next);
            if (or == 0 || wrongAhead(skipOption(other, close))) {
                return false;
            }
            // "A for adults or B for children" goes on with the same word.
            int on = passage.skip(close, " (,");
            boolean parallel = !first.isEmpty() && first.equals(word(on)) || passage.phrases.match(Word.ASIDE, on) > 0;
            return close == text.length() || ".)]}>,\n。、".indexOf(text.charAt(close)) >= 0 || parallel;
        }
        return false;
    }

    private String word(int at) {
        int end = at;
        while (end < text.length() && end < at + 20 && CharClass.spaced(text.charAt(end))) {
            end++;
        }
        return lower.substring(Math.min(at, text.length()), end);
    }

    /** Whether the next line is a label of another option, with its text or without. */
    boolean nextLine(int label, int behind) {
        int end = passage.skip(behind, " *_.)]\r");
        int other = end < text.length() && text.charAt(end) == '\n' ? labelLine(end + 1) : -1;
        return other >= 0 && other != label;
    }

    /** The option of a line that has its label alone, or with its text; -1 without. */
    int labelLine(int from) {
        int at = passage.skip(from, " *-•");
        int label = upper(at);
        if (label < 0) {
            return -1;
        }
        int close = labels.end(at);
        int end = passage.skip(close, " ).:*");
        String own = choices.text(label);
        end = end > close && !own.isEmpty() && lower.startsWith(own, end) ? end + own.length() : end;
        end = passage.skip(end, " .*\r");
        return end == text.length() || text.charAt(end) == '\n' ? label : -1;
    }

    /** The option whose label begins here, not in lower case; -1 without. */
    int upper(int at) {
        boolean begins = at >= 0
                && at < text.length()
                && labels.at(at) >= 0
                && (at == 0
                        || !CharClass.spaced(text.charAt(at - 1))
                        || labels.end(at) - at == 1 && text.charAt(at - 1) == 'و');
        boolean word = begins && labels.end(at) - at > 1 && !labels.own(at);
        return begins && (word || !Character.isLowerCase(text.charAt(at))) ? labels.at(at) : -1;
    }

    /** "E" is an option, "e" may be "and". */
    int or(int at) {
        int length = passage.phrases.match(Word.OR, at);
        boolean written = length == 0 && at + 1 < text.length() && text.charAt(at) == 'و' && labels.at(at + 1) >= 0;
        return written ? 1 : length == 1 && Character.isUpperCase(text.charAt(at)) ? 0 : length;
    }
}
