package org.calm4j.calm.extract;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.calm4j.calm.data.Question;
import org.calm4j.calm.extract.Extraction.Rule;

/**
 * Which option a response answers, in any of the languages of {@link Grammar}, in time linear in its length.
 *
 * <p>The last explicit statement decides, such as "The answer is (B)" or "答案是B"; a statement of two answers or of none is no answer, nor is
 * one that is taken back. Without one, a line with nothing but a label; without that, the text of the option that the last sentence with an
 * option states, if it is exactly one. Where a statement names a label and the text of another option, the label counts, which is what was
 * asked for, and the extraction says so ({@link Extraction#againstText}).
 */
public final class AnswerExtractor {
    private static final int LONGEST_ANSWER = 60;
    private static final int LONGEST_REFUSAL = 200;

    private final Choices choices;

    public AnswerExtractor(List<Question.Choice> choices) {
        this.choices = new Choices(choices);
    }

    /** The label of the answer; null when the response gives none, or more than one. */
    public static String extract(String response, List<Question.Choice> choices) {
        return new AnswerExtractor(choices).extract(response).label();
    }

    /** @param response may be null: no answer */
    public Extraction extract(String response) {
        if (response == null || response.isBlank()) {
            return Extraction.nothing(Rule.NOTHING);
        }
        String text = CharClass.folded(response);
        Reading reading = new Reading(text);
        if (reading.decided != null) {
            return reading.extraction();
        }
        if (reading.unfinished) {
            return Extraction.nothing(Rule.CUT);
        }
        LabelLines lines = new LabelLines(choices, text);
        Extraction line = lines.extraction();
        if (line != null) {
            return reading.wrong.contains(line.label()) ? Extraction.nothing(Rule.WITHDRAWN) : line;
        }
        int start = 0;
        while (start < text.length() && !CharClass.word(text.charAt(start))) {
            start++;
        }
        String beginning = CharClass.lower(text.substring(start, Math.min(text.length(), start + LONGEST_REFUSAL)));
        if (Grammar.ALL.match(Word.REFUSAL, beginning, 0) > 0) {
            return Extraction.nothing(Rule.REFUSAL);
        }
        return optionText(CharClass.composed(response), lines.end(), reading.wrong);
    }

    /** The statements of a text, each one seen in the light of those before. */
    private final class Reading {
        private final String text;
        private Statement decided;
        private Rule rule;
        private boolean unfinished;
        private boolean mentioned;
        /** Labels of options that are called wrong without having been the answer. */
        private final Set<String> wrong = new HashSet<>();

        Reading(String text) {
            this.text = text;
            StatementReader reader = new StatementReader(choices, text);
            Statement verdict = null;
            int at = 0;
            while (at < text.length()) {
                Statement statement = reader.at(at);
                if (statement == null) {
                    at++;
                    continue;
                }
                boolean listed = verdict != null && statement.kind() == Statement.Kind.OPTION && statement.choice() != verdict.choice()
                        && choices.labelAt(text, statement.from()) == statement.choice() && sideBySide(verdict.to(), statement.from());
                take(listed ? Statement.of(Statement.Kind.SEVERAL, verdict.from(), statement.to()) : statement);
                verdict = statement.kind() == Statement.Kind.OPTION ? statement : null;
                at = statement.kind() == Statement.Kind.MENTION || statement.kind() == Statement.Kind.UNFINISHED ? at + 1
                        : Math.max(at + 1, statement.to());
            }
        }

        // "D (correct) E (correct)": a list of verdicts.
        private boolean sideBySide(int end, int start) {
            return text.substring(end, start).chars().noneMatch(c -> c == '\n' || c == '.' || c == '。' || CharClass.word((char) c));
        }

        private void take(Statement statement) {
            unfinished = false;
            switch (statement.kind()) {
                case OPTION -> decide(statement, Rule.STATEMENT);
                case SEVERAL -> decide(statement, Rule.SEVERAL);
                case NONE -> decide(statement, Rule.NONE);
                case MENTION -> {
                    if (decided == null || mentioned) {
                        decide(statement, Rule.STATEMENT);
                        mentioned = true;
                    }
                }
                case WRONG -> {
                    if (decided != null && decided.choice() == statement.choice()) {
                        decide(statement, Rule.WITHDRAWN);
                    } else {
                        wrong.add(choices.label(statement.choice()));
                    }
                }
                case DENIAL -> {
                    if (decided != null && decided.choice() >= 0) {
                        decide(statement, Rule.WITHDRAWN);
                    }
                }
                case UNFINISHED -> unfinished = true;
            }
        }

        private void decide(Statement statement, Rule why) {
            decided = statement;
            rule = why;
            mentioned = false;
        }

        Extraction extraction() {
            if (mentioned && unfinished) {
                return Extraction.nothing(Rule.CUT);
            }
            String label = rule == Rule.STATEMENT ? choices.label(decided.choice()) : null;
            boolean against = label != null && decided.againstText();
            return new Extraction(label, rule, text.substring(decided.from(), decided.to()), decided.from(), against);
        }
    }

    private Extraction optionText(String response, int from, Set<String> wrong) {
        List<String> sentences = sentences(response.substring(from));
        if (!sentences.isEmpty() && cut(sentences.getLast())) {
            return Extraction.nothing(Rule.CUT);
        }
        for (String sentence : sentences.reversed()) {
            Set<Integer> stated = choices.stated(sentence);
            if (!stated.isEmpty()) {
                int choice = stated.iterator().next();
                String label = stated.size() == 1 ? choices.label(choice) : null;
                boolean negated = negated(sentence, choices.text(choice));
                return label == null || negated || wrong.contains(label) ? Extraction.nothing(negated ? Rule.NOTHING : Rule.SEVERAL)
                        : new Extraction(label, Rule.OPTION_TEXT, sentence.strip(), response.lastIndexOf(sentence), false);
            }
        }
        return Extraction.nothing(Rule.NOTHING);
    }

    /** Whether a response's last sentence, longer than a mere answer, has no end. */
    private static boolean cut(String sentence) {
        String end = sentence.stripTrailing();
        long width = end.chars().map(c -> CharClass.unspaced((char) c) ? 2 : 1).sum();
        return width > LONGEST_ANSWER && ".。!?！？)）]}\"”»」』*:".indexOf(end.charAt(end.length() - 1)) < 0;
    }

    // A "not" within the option's own text denies nothing.
    private static boolean negated(String sentence, String option) {
        String lower = CharClass.lower(CharClass.folded(sentence));
        lower = option.isEmpty() ? lower : lower.replace(option, " ");
        for (int i = 0; i < lower.length(); i++) {
            if (Grammar.ALL.match(Word.NOT, lower, i) > 0) {
                return true;
            }
        }
        return false;
    }

    /** Sentences end at these where a space or the end follows, or at a full stop of a script without spaces. */
    public static List<String> sentences(String text) {
        List<String> sentences = new ArrayList<>();
        int start = 0;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            boolean stop = "。！？\n".indexOf(c) >= 0
                    || ".!?".indexOf(c) >= 0 && (i + 1 == text.length() || Character.isWhitespace(text.charAt(i + 1)));
            if (stop || i + 1 == text.length()) {
                String sentence = text.substring(start, i + 1);
                if (sentence.chars().anyMatch(Character::isLetterOrDigit)) {
                    sentences.add(sentence);
                }
                start = i + 1;
            }
        }
        return sentences;
    }
}
