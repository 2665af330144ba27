package org.calm4j.calm.extract;

import java.util.Set;
import org.calm4j.calm.extract.Statement.Kind;

/**
 * Reads one statement at one place of a text: behind words that name the answer ("the best option is …"), behind an option ("… is
 * correct"), or words that say all by themselves. How far it looks is bounded, so that reading at every place takes time linear in the
 * text.
 */
final class StatementReader {
    private static final int MOST_FILLERS = 24;
    /** How far behind an answer a second one is looked for, and a text behind "the answer is". */
    private static final int REACH = 240;
    private static final int LONGEST_CONJUNCTION = 8;
    /** What follows a label, and no article. */
    private static final Set<Word> LABEL_WORDS = Set.of(Word.REASON, Word.LINK, Word.HEDGE, Word.OR, Word.BUT, Word.NOT);
    private static final Grammar GRAMMAR = Grammar.ALL;

    private final Choices choices;
    private final String text;
    private final String lower;
    /** Phrases at the place that was looked at last. */
    private final int[] matched = new int[Word.values().length];
    private int matchedAt = -1;

    /** @param text folded */
    StatementReader(Choices choices, String text) {
        this.choices = choices;
        this.text = text;
        lower = CharClass.lower(text);
    }

    /** The statement that begins at a place; null without. */
    Statement at(int from) {
        char c = lower.charAt(from);
        if (c == ' ' || c == '\n' || from > 0 && CharClass.spaced(c) && CharClass.spaced(lower.charAt(from - 1))) {
            return null;
        }
        int length = match(Word.ABSENT, from);
        if (length > 0) {
            return Statement.of(Kind.NONE, from, from + length);
        }
        length = match(Word.DENIAL, from);
        if (length > 0) {
            return Statement.of(Kind.DENIAL, from, from + length);
        }
        length = match(Word.ANSWER, from);
        Statement statement = length == 0 ? null : behind(from, from + length, false);
        if (statement == null) {
            length = match(Word.CHOICE, from);
            statement = length == 0 ? verdict(from) : behind(from, from + length, true);
        }
        if (statement == null) {
            length = match(Word.CONCLUSION, from);
            statement = length == 0 ? null : conclusion(from, from + length);
        }
        return statement;
    }

    // "So, (B)."
    private Statement conclusion(int from, int words) {
        int at = skip(words, " ,:、(*\"'");
        int label = upperLabel(at);
        int end = label < 0 ? at : at + choices.label(label).length();
        int behind = label < 0 ? at : skipOption(label, end);
        boolean alone = behind == text.length() || ".!\n。！".indexOf(text.charAt(behind)) >= 0
                || text.charAt(end) == '.' && behind > end + 1;
        return label >= 0 && alone && !others(label, end, behind) ? Statement.of(Kind.OPTION, label, from, behind) : null;
    }

    /** What follows words that name the answer, or that commit by themselves. */
    private Statement behind(int from, int words, boolean commits) {
        boolean linked = commits;
        boolean colon = false;
        boolean negated = false;
        int at = words;
        for (int i = 0; i < MOST_FILLERS && at < text.length(); i++) {
            char c = text.charAt(at);
            int label = choices.labelAt(text, at);
            if (label >= 0 && isLabel(at, label)) {
                return option(from, label, at, linked, commits, negated);
            }
            if (choices.labelsAt(text, at) > 1) {
                return Statement.of(Kind.SEVERAL, from, at + choices.labelsAt(text, at));
            }
            int stated = linked ? choices.textAt(lower, at) : -1;
            if (stated >= 0) {
                boolean several = choices.ambiguous(stated) || joinedText(stated, at + choices.text(stated).length());
                Kind kind = several ? Kind.SEVERAL : negated ? Kind.WRONG : Kind.OPTION;
                return Statement.of(kind, stated, from, at + choices.text(stated).length());
            }
            int none = linked && !commits ? match(Word.NONE, at) : 0;
            if (none > 0) {
                return Statement.of(Kind.NONE, from, at + none);
            }
            int not = match(Word.NOT, at);
            int link = Math.max(match(Word.LINK, at), match(Word.HEDGE, at));
            int skip = Math.max(Math.max(not, link), Math.max(match(Word.FILLER, at), label >= 0 ? 1 : 0));
            negated |= not > 0;
            colon |= c == ':' || c == '=';
            linked |= link > 0 || colon || c == '\n';
            if (skip == 0 && !Character.isWhitespace(c) && !CharClass.decoration(c) && ":=-–—>,・、".indexOf(c) < 0) {
                return linked && !commits && !negated ? mention(from, at) : null;
            }
            at += Math.max(1, skip);
        }
        return colon && at == text.length() ? Statement.of(Kind.UNFINISHED, from, at) : null;
    }

    // "tired or hungry"
    private boolean joinedText(int stated, int end) {
        int at = skip(end, " ");
        boolean comma = at < text.length() && ",;、/，".indexOf(text.charAt(at)) >= 0;
        at = comma ? skip(at + 1, " ") : at;
        int or = or(at);
        if (!comma && or == 0) {
            return false;
        }
        at = skip(at + or, " \"'(");
        int article = match(Word.FILLER, at);
        int other = choices.textAt(lower, at);
        other = other >= 0 || article == 0 ? other : choices.textAt(lower, skip(at + article, " "));
        return other >= 0 && other != stated;
    }

    /** The one option whose text the rest of the sentence states. */
    private Statement mention(int from, int at) {
        int end = at;
        while (end < text.length() && end < at + REACH && text.charAt(end) != '\n' && text.charAt(end) != '。') {
            end++;
        }
        Set<Integer> stated = choices.stated(text.substring(at, end));
        return stated.size() == 1 ? Statement.of(Kind.MENTION, stated.iterator().next(), from, at) : null;
    }

    // "a" is an article until something says that it is a label.
    private boolean isLabel(int at, int label) {
        if (!Character.isLowerCase(text.charAt(at))) {
            return true;
        }
        int end = at + choices.label(label).length();
        boolean enclosed = at > 0 && CharClass.decoration(text.charAt(at - 1));
        return enclosed || end == text.length() || CharClass.closing(text.charAt(end)) || ".:\n".indexOf(text.charAt(end)) >= 0;
    }

    private Statement option(int from, int label, int at, boolean linked, boolean commits, boolean negated) {
        int end = at + choices.label(label).length();
        int other = article(label, end);
        if (other >= 0) {
            return Statement.of(Kind.OPTION, other, from, end);
        }
        if (wordlike(label, end) && commits) {
            return null;
        }
        int behind = skipOption(label, end);
        boolean against = against(label, end);
        int but = but(negated ? behind : wrong(behind));
        if (but >= 0) {
            return new Statement(Kind.OPTION, but, from, butEnd, false);
        }
        if (negated || wrong(behind) >= 0) {
            return Statement.of(Kind.WRONG, label, from, behind);
        }
        if (others(label, end, behind)) {
            return Statement.of(Kind.SEVERAL, from, behind);
        }
        boolean plain = linked || behind == text.length() || CharClass.pause(text.charAt(behind)) || correct(behind) >= 0;
        return new Statement(plain ? Kind.OPTION : Kind.MENTION, label, from, behind, against);
    }

    /** "B is correct", "C. … (wrong)". */
    private Statement verdict(int from) {
        int label = Character.isUpperCase(text.charAt(from)) ? choices.labelAt(text, from) : -1;
        if (label < 0) {
            return null;
        }
        int end = from + choices.label(label).length();
        int behind = skipOption(label, end);
        int correct = correct(behind);
        if (correct >= 0) {
            return Statement.of(conjoinedBefore(from) ? Kind.SEVERAL : Kind.OPTION, label, from, correct);
        }
        int wrong = wrong(behind);
        int but = but(wrong);
        if (but >= 0) {
            return Statement.of(Kind.OPTION, but, from, butEnd);
        }
        return wrong >= 0 ? Statement.of(Kind.WRONG, label, from, behind) : null;
    }

    // "A and B are right": what is said of the second is said of both.
    private boolean conjoinedBefore(int from) {
        int end = back(from, " ");
        for (int start = end - 1; start >= Math.max(0, end - LONGEST_CONJUNCTION); start--) {
            boolean joins = start == end - 1 && ",、/&+".indexOf(text.charAt(start)) >= 0 || or(start) == end - start;
            if (joins && upperLabel(back(start, " ,)") - 1) >= 0) {
                return true;
            }
        }
        return false;
    }

    /** Where the words end that call what stands before correct; -1 without. */
    private int correct(int at) {
        int start = skip(at, " (*\"'");
        // "A选项正确"
        boolean noun = start < text.length() && CharClass.unspaced(text.charAt(start)) && match(Word.CORRECT, start) == 0;
        start += noun ? match(Word.FILLER, start) : 0;
        int link = match(Word.LINK, start);
        int word = link > 0 ? skip(start + link, " *\"'") : start;
        int length = match(Word.CORRECT, word);
        boolean bracketed = start > at && text.substring(at, start).indexOf('(') >= 0;
        return length > 0 && (link > 0 || bracketed || CharClass.unspaced(lower.charAt(word))) ? word + length : -1;
    }

    /** Where the word begins that calls what stands before wrong; -1 without. */
    private int wrong(int at) {
        int start = skip(at, " (*\"'-–");
        int link = match(Word.LINK, start);
        for (int word : new int[] {start, skip(start + link, " *\"'")}) {
            if (match(Word.WRONG, word) > 0) {
                return word;
            }
        }
        return -1;
    }

    private int butEnd;

    /** The option of "… but B", which a place leads to; -1 without. Sets where it ends. */
    private int but(int from) {
        if (from < 0) {
            return -1;
        }
        int at = skip(from, " ,;、*)");
        int length = match(Word.BUT, at);
        // "not A, not B, nor C, but D"
        for (int i = 0; length == 0 && i < choices.size(); i++) {
            int next = skip(at + or(at), " ");
            next = skip(next + match(Word.NOT, next), " ");
            int label = upperLabel(next);
            if (label < 0) {
                return -1;
            }
            at = skip(skipOption(label, next + choices.label(label).length()), " ,;、*)");
            length = match(Word.BUT, at);
        }
        if (length == 0) {
            return -1;
        }
        at = skip(at + length, " ,、(*\"'");
        for (int filler = match(Word.FILLER, at); filler > 0; filler = match(Word.FILLER, at)) {
            at = skip(at + filler, " (*\"'");
        }
        int label = at < text.length() && Character.isUpperCase(text.charAt(at)) ? choices.labelAt(text, at) : -1;
        butEnd = label < 0 ? at : at + choices.label(label).length();
        return label;
    }

    /**
     * "Answer: A hospital": the option whose text stands behind an article, or alone in the rest of the sentence; -1 where it is a label.
     */
    private int article(int label, int end) {
        if (!wordlike(label, end)) {
            return -1;
        }
        Statement stated = mention(end, end);
        return stated != null && stated.choice() != label ? stated.choice() : -1;
    }

    // "A" and "I" are words where another in lower case follows.
    private boolean wordlike(int label, int end) {
        String name = choices.label(label);
        int next = skip(end, " ");
        return (name.equals("A") || name.equals("I")) && next > end && next < text.length() && Character.isLowerCase(text.charAt(next))
                && LABEL_WORDS.stream().allMatch(word -> match(word, next) == 0);
    }

    // Behind the label, its closing, and its option's text or what stands in brackets there.
    private int skipOption(int label, int end) {
        int at = skip(end, " ).:]>\"'”*、-–");
        String own = choices.text(label);
        if (!own.isEmpty() && lower.startsWith(own, at)) {
            return skip(at + own.length(), " )\"'”*]>");
        }
        int open = skip(end, " *");
        if (open < text.length() && text.charAt(open) == '(') {
            int close = open + 1 + own.length();
            if (close < text.length() && text.charAt(close) == ')' && lower.startsWith(own, open + 1)) {
                return close + 1;
            }
        }
        return skip(end, " )\"'”*]>");
    }

    private boolean against(int label, int end) {
        int at = skip(end, " ).:]>\"'”*、-–(");
        int stated = at > end ? choices.textAt(lower, at) : -1;
        if (stated < 0 || stated == label || choices.text(stated).equals(choices.text(label))
                || lower.startsWith(choices.text(label), at)) {
            return false;
        }
        int behind = skip(at + choices.text(stated).length(), " *\"'”");
        return behind == text.length() || CharClass.pause(text.charAt(behind)) || CharClass.closing(text.charAt(behind))
                || text.charAt(behind) == '(';
    }

    /** Whether another option is named beside one. */
    private boolean others(int label, int end, int behind) {
        return beside(label, behind) || behind > end && beside(label, skip(end, " )]")) || joinedLater(label, behind);
    }

    // "B D", "A, C", "A、B", "C或E", "A and E", "A (…) B (…)".
    private boolean beside(int label, int from) {
        int at = skip(from, " ");
        boolean spaced = at > from || at > 0 && text.charAt(at - 1) == ' ' || at > 0 && text.charAt(at - 1) == ')';
        boolean comma = at < text.length() && ",;、/|&+・".indexOf(text.charAt(at)) >= 0;
        int word = comma ? skip(at + 1, " ") : at;
        int or = or(word);
        int next = skip(word + or, " (\"'*[<");
        int other = upperLabel(next);
        if (other < 0 || other == label || !comma && or == 0 && !spaced) {
            return false;
        }
        int close = next + choices.label(other).length();
        int after = skip(close, " )\"'*]>");
        if (or > 0) {
            return true;
        }
        // "B, A is too narrow" goes on with a word.
        boolean alone = after == text.length() || !CharClass.spaced(text.charAt(after)) && text.charAt(after) != '\''
                || text.charAt(close) == '.'
                || or(after) > 0;
        return alone && (comma || after == text.length() || "\n(.".indexOf(text.charAt(after)) >= 0 || upperLabel(after) >= 0);
    }

    // "A. Canada (or E. Open Country)": the first other label in the rest of the line, where a conjunction leads to it.
    private boolean joinedLater(int label, int from) {
        for (int at = from; at < text.length() && at < from + REACH && text.charAt(at) != '\n' && text.charAt(at) != '。'; at++) {
            if (at > 0 && CharClass.spaced(text.charAt(at - 1))) {
                continue;
            }
            int or = or(at);
            int next = or == 0 ? at : skip(at + or, " (\"'*[<");
            int other = upperLabel(next);
            if (other < 0 || other == label) {
                continue;
            }
            int close = next + choices.label(other).length();
            return or > 0 && (close == text.length() || ".)]>,\n。、".indexOf(text.charAt(close)) >= 0);
        }
        return false;
    }

    private int upperLabel(int at) {
        boolean begins = at >= 0 && at < text.length() && !Character.isLowerCase(text.charAt(at))
                && (at == 0 || !CharClass.spaced(text.charAt(at - 1)));
        return begins ? choices.labelAt(text, at) : -1;
    }

    // "E" is an option, "e" may be "and".
    private int or(int at) {
        int length = match(Word.OR, at);
        return length == 1 && Character.isUpperCase(text.charAt(at)) ? 0 : length;
    }

    private int match(Word word, int at) {
        if (at != matchedAt) {
            GRAMMAR.match(lower, at, matched);
            matchedAt = at;
        }
        return matched[word.ordinal()];
    }

    private int skip(int from, String characters) {
        int at = from;
        while (at < text.length() && characters.indexOf(text.charAt(at)) >= 0) {
            at++;
        }
        return at;
    }

    private int back(int from, String characters) {
        int at = from;
        while (at > 0 && characters.indexOf(text.charAt(at - 1)) >= 0) {
            at--;
        }
        return at;
    }
}
