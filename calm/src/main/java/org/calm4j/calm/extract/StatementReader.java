package org.calm4j.calm.extract;

import java.util.LinkedHashSet;
import java.util.Set;
import org.calm4j.calm.extract.Statement.Kind;
import org.calm4j.calm.extract.Statement.Weight;

/**
 * Reads one statement at one place of a text: after words that name the answer ("the best option is …"), after an option ("… is
 * correct"), or words that say all by themselves. How far it looks is bounded, so that reading at every place takes time linear in the
 * text.
 */
final class StatementReader {
    private static final int MOST_FILLERS = 24;
    /** How far after "the answer is" to look for an option's text, and how far back for the subject of "is not in the list". */
    private static final int REACH = 240;

    private static final int LONGEST_CONJUNCTION = 8;
    /** How many words may stand between a label and what is said of it in "Aのオプションはどれも正しく…". */
    private static final int MOST_NOUNS = 6;
    /** Words that follow a label but not an article. */
    private static final Set<Word> LABEL_WORDS =
            Set.of(Word.REASON, Word.LINK, Word.HEDGE, Word.OR, Word.BUT, Word.NOT);
    /** Words that may be an article at a sentence's beginning. */
    private static final Set<String> WORDLIKE = Set.of("A", "I", "А", "В", "С");

    private final Choices choices;
    private final ParsedResponse passage;
    private final GroupReader groups;
    private final String text;
    private final String lower;
    private final Labels labels;
    /** Labels before this place belong to a list that says nothing of them one by one. */
    private int listed;

    StatementReader(Choices choices, ParsedResponse passage) {
        this.choices = choices;
        this.passage = passage;
        groups = new GroupReader(choices, passage);
        text = passage.text;
        lower = passage.lower;
        labels = passage.labels;
    }

    /** The statement that begins at a place; null without. */
    Statement at(int from) {
        char c = lower.charAt(from);
        if (c == ' ' || c == '\n' || from > 0 && CharClass.spaced(c) && CharClass.spaced(lower.charAt(from - 1))) {
            return null;
        }
        Statement statement = byItself(from);
        if (statement == null && match(Word.ANSWER, from) > 0) {
            statement = statement(from, from + match(Word.ANSWER, from), false);
        }
        if (statement == null && match(Word.CHOICE, from) > 0) {
            statement = statement(from, from + match(Word.CHOICE, from), true);
        }
        if (statement == null) {
            statement = verdict(from);
        }
        if (statement == null && match(Word.REVISION, from) > 0) {
            statement = revision(from, from + match(Word.REVISION, from));
        }
        boolean first = passage.sentences.start(from) == passage.back(from, " ");
        if (statement == null && first && match(Word.NOT, from) > 0) {
            statement = denied(from, passage.skip(from + match(Word.NOT, from), " (\"'"));
        }
        int conclusion =
                Math.max(match(Word.CONCLUSION, from), first && CharClass.word(c) ? match(Word.LINK, from) : 0);
        return statement == null && conclusion > 0 ? conclusion(from, from + conclusion) : statement;
    }

    // "Not E, but D."
    private Statement denied(int from, int at) {
        if (groups.upper(at) < 0) {
            return null;
        }
        int but = but(groups.skipOption(labels.at(at), labels.end(at)));
        return but >= 0
                ? Statement.of(Kind.OPTION, but, from, butEnd).with(weight(from))
                : Statement.of(
                                Kind.WRONG,
                                groups.at(at).choices(),
                                from,
                                groups.at(at).end())
                        .with(weight(from));
    }

    /** Words that need no option. */
    private Statement byItself(int from) {
        int length = match(Word.OTHER, from);
        if (length > 0) {
            return Statement.of(Kind.NOTHING, from, others(from + length));
        }
        length = match(Word.MISTAKE, from);
        if (length > 0) {
            return mistake(from, from + length);
        }
        length = match(Word.ABSENT, from);
        if (length > 0) {
            int list = passage.skip(from + length, " (:*-");
            Group these = groups.upper(list) < 0 ? null : groups.at(list);
            boolean closed = these != null
                    && (these.end() == text.length()
                            || !CharClass.word(text.charAt(these.end()))
                            || list > from + length + 1);
            return closed
                    ? Statement.of(Kind.NEITHER, these.choices(), from, these.end())
                            .with(weight(from))
                    : Statement.of(Kind.NONE, from, from + length).with(weight(from));
        }
        length = match(Word.UNLISTED, from);
        if (length > 0) {
            return unlisted(from, from + length);
        }
        length = match(Word.DENIAL, from);
        if (length > 0) {
            int subject = startsWithLink(from) ? subject(from) : -1;
            if (subject >= 0) {
                return Statement.of(Kind.WRONG, subject, from, from + length).with(weight(from));
            }
            boolean meant = !startsWithLink(from) || bare(from);
            return Statement.of(meant ? Kind.DENIAL : Kind.NOTHING, from, from + length)
                    .with(weight(from));
        }
        length = match(Word.DECLINE, from);
        return length > 0 ? Statement.of(Kind.DECLINED, from, from + length) : null;
    }

    private boolean startsWithLink(int from) {
        return match(Word.LINK, from) > 0 || match(Word.NOT, from) > 0;
    }

    // "the other options (A, C) are wrong": where it ends.
    private int others(int words) {
        int at = passage.skip(words, " (:*-\n");
        at = groups.upper(at) >= 0 ? passage.skip(groups.at(at).end(), " )") : words;
        listed = Math.max(listed, at);
        for (int i = 0; i < 8 && at < text.length(); i++) {
            at = passage.skip(at, " )");
            for (Word end :
                    new Word[] {Word.ABSENT, Word.UNLISTED, Word.DENIAL, Word.WRONG, Word.CORRECT, Word.MISTAKE}) {
                if (match(end, at) > 0) {
                    return at + match(end, at);
                }
            }
            int skip = longest(at, Word.LINK, Word.FILLER, Word.NONE, Word.HEDGE);
            if (skip == 0) {
                break;
            }
            at += skip;
        }
        return at;
    }

    // "The wrong answer is A", "incorrect options: A, B"; "(wrong answer)" takes back what stands before.
    private Statement mistake(int from, int words) {
        int at = words;
        for (int i = 0; i < MOST_FILLERS && at < text.length(); i++) {
            if (groups.upper(at) >= 0) {
                return wrong(from, groups.at(at));
            }
            int skip = longest(at, Word.LINK, Word.HEDGE, Word.FILLER);
            if (skip == 0 && " :=*-–—\n\"'(".indexOf(text.charAt(at)) < 0) {
                break;
            }
            at += Math.max(1, skip);
        }
        return Statement.of(bare(from) ? Kind.DENIAL : Kind.NOTHING, from, words)
                .with(weight(from));
    }

    // With the lines of labels that follow.
    private Statement wrong(int from, Group group) {
        Set<Integer> wrong = new LinkedHashSet<>(group.choices());
        int end = group.end();
        for (int i = 0; i < choices.size(); i++) {
            int line = passage.skip(end, " .*_)\r");
            int next = line < text.length() && text.charAt(line) == '\n' ? groups.labelLine(line + 1) : -1;
            if (next < 0) {
                break;
            }
            wrong.add(next);
            end = text.indexOf('\n', line + 1) < 0 ? text.length() : text.indexOf('\n', line + 1);
        }
        listed = Math.max(listed, end);
        return Statement.of(Kind.WRONG, wrong, from, end).with(weight(from));
    }

    // "the answer is not among the options" and "B. tree (not in the list)", but not "a tree is not in the list".
    private Statement unlisted(int from, int to) {
        int start = clause(from);
        boolean named = false;
        for (int at = start; at < from; at++) {
            named |= match(Word.ANSWER, at) > 0 && match(Word.FILLER, at) == 0;
        }
        int subject = named ? -1 : subject(from);
        return subject >= 0
                ? Statement.of(Kind.WRONG, subject, from, to).with(weight(from))
                : Statement.of(named || bare(from) ? Kind.NONE : Kind.DECLINED, from, to)
                        .with(weight(from));
    }

    /** Where the clause begins that a place is in. */
    private int clause(int from) {
        int start = Math.max(passage.sentences.start(from), from - REACH);
        int at = from;
        while (at > start && "([（,;:–—、，\n".indexOf(text.charAt(at - 1)) < 0) {
            at--;
        }
        return at;
    }

    /** The option that a clause names before a place; -1 without. */
    private int subject(int from) {
        for (int at = clause(from); at < from; at++) {
            if (groups.upper(at) >= 0 && !wordlike(at)) {
                return labels.at(at);
            }
        }
        return -1;
    }

    /** Whether nothing that could be a subject of its own stands before a place in its clause. */
    private boolean bare(int from) {
        int at = clause(from);
        while (at < from) {
            int skip = longest(at, Word.THIS, Word.LINK, Word.FILLER, Word.HEDGE, Word.ASIDE, Word.BUT, Word.NOT);
            if (skip == 0 && CharClass.word(text.charAt(at))) {
                return false;
            }
            at += Math.max(1, skip);
        }
        return true;
    }

    // "So, (B).", "It's B."
    private Statement conclusion(int from, int words) {
        int at = passage.skip(words, " ,:、(*\"'");
        for (int i = 0; i < MOST_FILLERS && match(Word.CONCLUSION, at) > 0; i++) {
            at = passage.skip(at + match(Word.CONCLUSION, at), " ,:、(*\"'");
        }
        int label = groups.upper(at);
        int end = label < 0 ? at : labels.end(at);
        int behind = label < 0 ? at : groups.skipOption(label, end);
        boolean alone = behind == text.length()
                || ".!\n。！।".indexOf(text.charAt(behind)) >= 0
                || text.charAt(end) == '.' && behind > end + 1;
        boolean one = label >= 0 && alone && !others(at, label, end, behind);
        return one ? Statement.of(Kind.OPTION, label, from, behind).with(weight(from)) : null;
    }

    // "Wait, no, C.", and "Actually, fish.", but not "Actually, a dog barks".
    private Statement revision(int from, int words) {
        int at = words;
        for (int i = 0; i < MOST_FILLERS && at < text.length(); i++) {
            int label = groups.upper(at);
            if (label >= 0 && !wordlike(at)) {
                int end = labels.end(at);
                int behind = groups.skipOption(label, end);
                boolean plain = behind > end + 1
                        || behind == text.length()
                        || CharClass.pause(text.charAt(behind))
                        || match(Word.REASON, passage.skip(behind, " ")) > 0;
                return !plain
                        ? null
                        : others(at, label, end, behind)
                                ? Statement.of(Kind.SEVERAL, from, behind).with(weight(from))
                                : wrong(behind) >= 0
                                        ? null
                                        : Statement.of(Kind.OPTION, label, from, behind)
                                                .with(weight(from));
            }
            int stated = choices.textAt(lower, at);
            int behind =
                    stated < 0 ? at : passage.skip(at + choices.text(stated).length(), " *\"'");
            if (stated >= 0) {
                boolean ends = behind == text.length() || ".!\n。".indexOf(text.charAt(behind)) >= 0;
                return ends && !choices.ambiguous(stated)
                        ? Statement.of(Kind.OPTION, stated, from, behind).with(weight(from))
                        : null;
            }
            int skip = longest(at, Word.REVISION, Word.LINK, Word.FILLER, Word.CHOICE, Word.CONCLUSION);
            if (skip == 0 && " ,:;.…—–-*(\"'!、。".indexOf(text.charAt(at)) < 0) {
                return null;
            }
            at += Math.max(1, skip);
        }
        return null;
    }

    /** What follows words that name the answer, or that commit by themselves. */
    private Statement statement(int from, int words, boolean commits) {
        boolean linked = commits;
        boolean colon = false;
        boolean negated = false;
        boolean hedged = false;
        int at = words;
        for (int i = 0; i < MOST_FILLERS && at < text.length(); i++) {
            char c = text.charAt(at);
            int label = at < listed ? -1 : labels.at(at);
            if (label >= 0 && isLabel(at)) {
                Statement option = option(from, at, linked, commits, negated);
                boolean later = option != null && !colon && asideBehind(option.to());
                return option != null
                                && option.weight() == Weight.PLAIN
                                && (hedged || later || weight(from) == Weight.ASIDE)
                        ? option.with(Weight.ASIDE)
                        : option;
            }
            if (choices.labelsAt(text, at) > 1) {
                return Statement.of(Kind.SEVERAL, from, at + choices.labelsAt(text, at))
                        .with(weight(from));
            }
            int stated = linked ? choices.textAt(lower, at) : -1;
            if (stated >= 0) {
                boolean several = choices.ambiguous(stated)
                        || joinedText(stated, at + choices.text(stated).length());
                Kind kind = several ? Kind.SEVERAL : negated ? Kind.WRONG : Kind.OPTION;
                return new Statement(
                        kind,
                        several ? Set.of() : Set.of(stated),
                        from,
                        at + choices.text(stated).length(),
                        false,
                        hedged ? Weight.ASIDE : weight(from));
            }
            if (linked && !commits) {
                int none = longest(at, Word.NONE, Word.DECLINE, Word.UNLISTED);
                int link = match(Word.LINK, at);
                none = none > 0 || link == 0 ? none : unlistedBehind(at, link);
                if (none > 0) {
                    int list = passage.skip(at + none, " (");
                    int end = groups.upper(list) >= 0 && list > at + none + 1
                            ? groups.at(list).end()
                            : at + none;
                    listed = Math.max(listed, end);
                    return match(Word.OTHER, at) > 0
                            ? null
                            : Statement.of(Kind.NONE, from, end).with(weight(from));
                }
            }
            boolean anew = at > words && text.charAt(at - 1) == '\n' && match(Word.ANSWER, at) > 0;
            if (anew || match(Word.MISTAKE, at) > 0 || match(Word.OTHER, at) > 0) {
                return null;
            }
            int not = match(Word.NOT, at);
            int hedge = match(Word.HEDGE, at);
            int link = Math.max(match(Word.LINK, at), hedge);
            if (link > 0 && !commits && unlistedBehind(at, link) > 0) {
                return Statement.of(Kind.NONE, from, at + unlistedBehind(at, link))
                        .with(weight(from));
            }
            int skip = Math.max(Math.max(not, link), Math.max(match(Word.FILLER, at), label >= 0 ? 1 : 0));
            negated |= not > 0;
            hedged |= hedge > 0 && hedge == link;
            colon |= c == ':' || c == '=';
            linked |= link > 0 || colon || c == '\n';
            if (skip == 0 && !Character.isWhitespace(c) && !CharClass.decoration(c) && ":=-–—>,・、".indexOf(c) < 0) {
                return linked && !commits && !negated ? mention(from, at) : null;
            }
            at += Math.max(1, skip);
        }
        return colon && at == text.length() ? Statement.of(Kind.UNFINISHED, from, at) : null;
    }

    // "is not listed": how long, with the link.
    private int unlistedBehind(int at, int link) {
        int word = passage.skip(at + link, " ");
        int length = Math.max(match(Word.UNLISTED, word), match(Word.UNLISTED, at));
        return match(Word.UNLISTED, at) > 0 ? match(Word.UNLISTED, at) : length > 0 ? word + length - at : 0;
    }

    // "tired or hungry"
    private boolean joinedText(int stated, int end) {
        int at = passage.skip(end, " *");
        boolean comma = at < text.length() && ",;、/，".indexOf(text.charAt(at)) >= 0;
        at = comma ? passage.skip(at + 1, " ") : at;
        int or = groups.or(at);
        if (!comma && or == 0) {
            return false;
        }
        at = passage.skip(at + or, " \"'(*、");
        int article = match(Word.FILLER, at);
        int other = choices.textAt(lower, at);
        other = other >= 0 || article == 0 ? other : choices.textAt(lower, passage.skip(at + article, " "));
        return other >= 0 && other != stated;
    }

    /** The one option whose text the rest of the sentence states. */
    private Statement mention(int from, int at) {
        int end = at;
        int reach = Math.min(text.length(), at + REACH);
        while (end < reach
                && text.charAt(end) != '\n'
                && (end == at || passage.sentences.start(end) == passage.sentences.start(at))) {
            end++;
        }
        if (passage.sentences.declines(at, end)) {
            return null;
        }
        Set<Integer> stated = choices.stated(passage.folded.names().substring(at, end));
        return stated.size() == 1 ? Statement.of(Kind.OPTION, stated, from, at).with(Weight.MENTION) : null;
    }

    // "a" is an article until something says that it is a label.
    private boolean isLabel(int at) {
        int end = labels.end(at);
        if (!Character.isLowerCase(text.charAt(at)) || !labels.own(at) && end - at > 1) {
            return true;
        }
        boolean enclosed = at > 0 && CharClass.decoration(text.charAt(at - 1));
        return enclosed
                || end == text.length()
                || CharClass.closing(text.charAt(end))
                || ".:\n".indexOf(text.charAt(end)) >= 0;
    }

    private Statement option(int from, int at, boolean linked, boolean commits, boolean negated) {
        int label = labels.at(at);
        int end = labels.end(at);
        int other = article(at, label, end);
        if (other >= 0) {
            return Statement.of(Kind.OPTION, other, from, end);
        }
        if (wordlike(at) && commits) {
            return null;
        }
        int behind = groups.skipOption(label, end);
        Group group = groups.answer(at);
        boolean many = group.choices().size() > 1;
        int verdict = wrong(many ? group.end() : behind);
        verdict = verdict < 0 ? notBehind(many ? group.end() : behind) : verdict;
        int but = but(negated ? behind : verdict);
        if (but >= 0) {
            return Statement.of(Kind.OPTION, but, from, butEnd);
        }
        if (negated || verdict >= 0) {
            listed = Math.max(listed, group.end());
            Statement denied =
                    Statement.of(Kind.WRONG, group.choices(), from, Math.max(group.end(), wrongEnd(verdict)));
            return many && group.choices().size() == choices.size()
                    ? Statement.of(Kind.NONE, from, denied.to())
                    : denied;
        }
        if (many || groups.joinedLater(label, end, behind) || groups.nextLine(label, behind)) {
            listed = Math.max(listed, group.end());
            return Statement.of(Kind.SEVERAL, from, group.end());
        }
        if (emptied(label, end)) {
            return Statement.of(Kind.NONE, from, behind);
        }
        boolean plain =
                linked || behind == text.length() || CharClass.pause(text.charAt(behind)) || correct(behind) >= 0;
        return new Statement(
                Kind.OPTION, Set.of(label), from, behind, against(label, end), plain ? Weight.PLAIN : Weight.MENTION);
    }

    // "Cevap A değil", "答え: AでもBでもない": where the word begins; -1 without.
    private int notBehind(int at) {
        int start = passage.skip(at, " ");
        int not = match(Word.NOT, start);
        int behind = passage.skip(start + not, " ");
        boolean ends = not > 0
                && (behind == text.length()
                        || CharClass.pause(text.charAt(behind))
                        || CharClass.unspaced(text.charAt(start)));
        return ends && groups.upper(passage.skip(behind, " (\"'")) < 0 || not > 0 && match(Word.BUT, start) > 0
                ? start
                : -1;
    }

    // "E. None", where that is not the option's own text.
    private boolean emptied(int label, int end) {
        int at = passage.skip(end, " ).:]>\"'*、-–(");
        if (at == end || !choices.text(label).isEmpty() && lower.startsWith(choices.text(label), at)) {
            return false;
        }
        int none = Math.max(match(Word.NONE, at), match(Word.DECLINE, at));
        int behind = passage.skip(at + none, " ");
        boolean alone = none > 0
                && (behind == text.length()
                        || CharClass.pause(text.charAt(behind)) && text.charAt(behind) != ','
                        || CharClass.closing(text.charAt(behind)));
        return alone || match(Word.DECLINE, at) > 0 || match(Word.ABSENT, at) > 0 && match(Word.OTHER, at) == 0;
    }

    /** "B is correct", "C. … (wrong)", "✓ B". */
    private Statement verdict(int from) {
        if (from < listed) {
            return null;
        }
        int mark = CharClass.word(text.charAt(from)) ? 0 : Math.max(match(Word.CORRECT, from), match(Word.WRONG, from));
        int marked = mark == 0 ? -1 : passage.skip(from + mark, " *");
        if (marked >= 0 && groups.upper(marked) >= 0) {
            int label = labels.at(marked);
            Kind kind = match(Word.CORRECT, from) > 0 ? Kind.OPTION : Kind.WRONG;
            return Statement.of(kind, label, from, groups.skipOption(label, labels.end(marked)))
                    .with(Weight.MARKED);
        }
        int label = groups.upper(from);
        if (label < 0) {
            return textVerdict(from);
        }
        if (wordlike(from)) {
            return null;
        }
        int end = labels.end(from);
        int behind = groups.skipOption(label, end);
        Group group = groups.at(from);
        boolean many = group.choices().size() > 1;
        int stop = many ? group.end() : behind;
        stop = correct(stop) < 0 && wrong(stop) < 0 ? groups.skipBracket(stop) : stop;
        boolean denied = passage.sentences.denied(from) >= 0;
        Statement statement = verdict(from, group, stop, denied);
        if (many) {
            listed = Math.max(listed, group.end());
        }
        return statement;
    }

    private Statement verdict(int from, Group group, int behind, boolean denied) {
        boolean many = group.choices().size() > 1;
        int wrong = wrong(behind);
        if (wrong >= 0) {
            int but = but(wrong);
            return but >= 0
                    ? Statement.of(Kind.OPTION, but, from, butEnd).with(weight(from))
                    : Statement.of(denied ? Kind.NOTHING : Kind.WRONG, group.choices(), from, wrongEnd(wrong))
                            .with(weight(from));
        }
        int correct = correct(behind);
        boolean maybe = hedged;
        if (correct >= 0) {
            boolean undone = match(Word.NOT, correct) > 0 || wrong(correct) == passage.skip(correct, " ");
            int link = match(Word.LINK, passage.skip(correct, " "));
            undone |= link > 0 && match(Word.WRONG, passage.skip(passage.skip(correct, " ") + link, " ")) > 0;
            if (undone) {
                return Statement.of(Kind.WRONG, group.choices(), from, correct).with(weight(from));
            }
            if (match(Word.HEDGE, correct) > 0) {
                return null;
            }
            if (denied) {
                return Statement.of(Kind.NEITHER, group.choices(), from, correct)
                        .with(weight(from));
            }
            boolean later = maybe || asideBehind(correct);
            Weight weight = later ? Weight.ASIDE : weight(from);
            Weight marked = weight == Weight.PLAIN && marked(behind) ? Weight.MARKED : weight;
            return many || conjoinedBefore(from)
                    ? Statement.of(Kind.SEVERAL, from, correct).with(weight)
                    : Statement.of(Kind.OPTION, group.choices(), from, correct).with(marked);
        }
        boolean adjacent = denied && passage.skip(passage.sentences.denied(from), " (") == from;
        if (adjacent) {
            return Statement.of(Kind.NEITHER, group.choices(), from, group.end())
                    .with(weight(from));
        }
        return null;
    }

    // "Schools is right", "a garden is not a correct answer".
    private Statement textVerdict(int from) {
        int stated = choices.textAt(lower, from);
        int end = stated < 0 ? 0 : passage.skip(from + choices.text(stated).length(), " )\"'”*]>");
        if (stated < 0 || choices.ambiguous(stated)) {
            return null;
        }
        int wrong = wrong(end);
        if (wrong >= 0) {
            return Statement.of(Kind.WRONG, stated, from, wrongEnd(wrong)).with(weight(from));
        }
        int correct = correct(end);
        boolean said = correct >= 0
                && match(Word.LINK, passage.skip(end, " ")) > 0
                && match(Word.HEDGE, correct) == 0
                && match(Word.NOT, correct) == 0
                && passage.sentences.denied(from) < 0;
        return said ? Statement.of(Kind.OPTION, stated, from, correct).with(Weight.MENTION) : null;
    }

    // "(correct)", "✓", "- right": a mark, not a sentence.
    private boolean marked(int behind) {
        int start = passage.skip(behind, " ");
        return start < text.length()
                && ("([:-–—".indexOf(text.charAt(start)) >= 0
                        || match(Word.CORRECT, start) > 0 && !CharClass.word(text.charAt(start)));
    }

    // "A and B are right": what is said of the second is said of both.
    private boolean conjoinedBefore(int from) {
        int end = passage.back(from, " ");
        for (int start = end - 1; start >= Math.max(0, end - LONGEST_CONJUNCTION); start--) {
            boolean joins =
                    start == end - 1 && ",、/&+".indexOf(text.charAt(start)) >= 0 || groups.or(start) == end - start;
            if (joins && groups.upper(passage.back(start, " ,)") - 1) >= 0) {
                return true;
            }
        }
        return false;
    }

    /** Where the words end that call what stands before correct; -1 without. */
    private int correct(int at) {
        hedged = false;
        int start = passage.skip(at, " ([*\"':-–—");
        boolean set = start > at && text.substring(at, start).chars().anyMatch(c -> "([:-–—".indexOf(c) >= 0);
        // "A选项正确", "Aのオプションが正解"
        for (int i = 0; i < MOST_NOUNS && noun(start, Word.CORRECT); i++) {
            hedged |= match(Word.HEDGE, start) > 0;
            start = passage.skip(start + match(Word.FILLER, start), " ");
        }
        int link = match(Word.LINK, start);
        int word = link > 0 ? passage.skip(start + link, " *\"'") : start;
        int article = match(Word.CORRECT, word) == 0 ? match(Word.FILLER, word) : 0;
        word = link > 0 && article > 0 ? passage.skip(word + article, " ") : word;
        int length = match(Word.CORRECT, word);
        int end = word + length;
        boolean sign = length > 0 && !(CharClass.spaced(text.charAt(word)));
        boolean closed = end >= text.length() || !CharClass.spaced(text.charAt(end)) && text.charAt(end) != ' ';
        boolean bracketed = set
                && (text.substring(at, start).indexOf('(') >= 0
                        || text.substring(at, start).indexOf('[') >= 0);
        // Where the verb comes last: "گزینه ج صحیح است".
        boolean verb = length > 0 && text.charAt(word) > 0x370 && match(Word.LINK, passage.skip(end, " ")) > 0
                || text.charAt(Math.min(word, text.length() - 1)) > 0x370
                        && lower.substring(word, end).indexOf(' ') > 0;
        return length > 0 && (link > 0 || sign || verb || bracketed || set && closed) ? end : -1;
    }

    /** Where the word begins that calls what stands before wrong; -1 without. */
    private int wrong(int at) {
        int start = passage.skip(at, " ([*\"':-–—");
        for (int i = 0; i < MOST_NOUNS && noun(start, Word.WRONG); i++) {
            int link = match(Word.FILLER, start) == 0 ? match(Word.LINK, start) : 0;
            start = passage.skip(start + match(Word.FILLER, start) + link, " ");
        }
        int link = match(Word.LINK, start);
        for (int word : new int[] {start, passage.skip(start + link, " *\"'")}) {
            boolean ofNext =
                    match(Word.NOT, word) > 0 && groups.upper(passage.skip(word + match(Word.NOT, word), " (\"'")) >= 0;
            if (!ofNext && (match(Word.WRONG, word) > 0 || match(Word.MISTAKE, word) > 0)) {
                return word;
            }
            int filler = match(Word.FILLER, word);
            if (filler > 0 && match(Word.WRONG, passage.skip(word + filler, " ")) > 0) {
                return passage.skip(word + filler, " ");
            }
        }
        return -1;
    }

    private int wrongEnd(int wrong) {
        return wrong < 0 ? -1 : wrong + longest(wrong, Word.WRONG, Word.MISTAKE, Word.DENIAL);
    }

    /** Whether {@link #correct} passed a "may be". */
    private boolean hedged;

    private int butEnd;

    /** The option of "… but B", which a place leads to; -1 without. Sets where it ends. */
    private int but(int from) {
        if (from < 0) {
            return -1;
        }
        int at = passage.skip(from, " ,;、*)");
        int length = match(Word.BUT, at);
        // "not A, not B, nor C, but D"
        for (int i = 0; length == 0 && i < choices.size(); i++) {
            int next = passage.skip(at + groups.or(at), " ");
            next = passage.skip(next + match(Word.NOT, next), " ");
            int label = groups.upper(next);
            if (label < 0) {
                return -1;
            }
            at = passage.skip(groups.skipOption(label, labels.end(next)), " ,;、*)");
            length = match(Word.BUT, at);
        }
        if (length == 0) {
            return -1;
        }
        at = passage.skip(at + length, " ,、(*\"'");
        for (int i = 0; i < MOST_FILLERS && Math.max(match(Word.FILLER, at), match(Word.LINK, at)) > 0; i++) {
            at = passage.skip(at + Math.max(match(Word.FILLER, at), match(Word.LINK, at)), " (*\"'");
        }
        int label = groups.upper(at);
        butEnd = label < 0 ? at : labels.end(at);
        return label;
    }

    /**
     * "Answer: A hospital": the option whose text follows an article, or is alone in the rest of the sentence; -1 where it is a label.
     */
    private int article(int at, int label, int end) {
        if (!wordlike(at)) {
            return -1;
        }
        Statement stated = mention(end, end);
        return stated != null && stated.choice() != label ? stated.choice() : -1;
    }

    // "A" and "I" are words where another in lower case follows.
    private boolean wordlike(int at) {
        int end = labels.end(at);
        int next = passage.skip(end, " ");
        return WORDLIKE.contains(text.substring(at, end))
                && next > end
                && next < text.length()
                && Character.isLowerCase(text.charAt(next))
                && LABEL_WORDS.stream().allMatch(word -> match(word, next) == 0);
    }

    private boolean against(int label, int end) {
        int at = passage.skip(end, " ).:]>\"'”*、-–(");
        int stated = at > end ? choices.textAt(lower, at) : -1;
        if (stated < 0
                || stated == label
                || choices.text(stated).equals(choices.text(label))
                || lower.startsWith(choices.text(label), at)) {
            return false;
        }
        int behind = passage.skip(at + choices.text(stated).length(), " *\"'”");
        return behind == text.length()
                || CharClass.pause(text.charAt(behind))
                || CharClass.closing(text.charAt(behind))
                || text.charAt(behind) == '(';
    }

    /** Whether another option is named beside one. */
    private boolean others(int at, int label, int end, int behind) {
        return groups.answer(at).choices().size() > 1 || groups.joinedLater(label, end, behind);
    }

    private Weight weight(int from) {
        return passage.sentences.aside(from) ? Weight.ASIDE : Weight.PLAIN;
    }

    private boolean asideBehind(int at) {
        return at > 0 && passage.sentences.aside(at, Math.min(text.length(), at + REACH));
    }

    // Whether a word that takes no space may stand before a verdict.
    private boolean noun(int at, Word verdict) {
        return at < text.length() && CharClass.unspaced(text.charAt(at)) && match(verdict, at) == 0;
    }

    private int longest(int at, Word... words) {
        int longest = 0;
        for (Word word : words) {
            longest = Math.max(longest, match(word, at));
        }
        return longest;
    }

    private int match(Word word, int at) {
        return passage.phrases.match(word, at);
    }
}
