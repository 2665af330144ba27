package org.calm4j.calm.extract;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.calm4j.calm.data.Question;
import org.calm4j.calm.extract.Extraction.Rule;

/**
 * Which option a response answers, in any of the languages of {@link Grammar}, in time linear in its length.
 *
 * <p>The last explicit statement decides, such as "The answer is (B)" or "答案是B"; a statement of two answers or of none does not count, nor does
 * one that is taken back, and what is said under a condition or of other options does not count beside one. Without a statement, a line with
 * nothing but a label; without that, and where the response does not decline, the text of the option that the last sentence with an option
 * states, if it is exactly one. Thoughts between {@code <think>} and {@code </think>} are not part of a response. Where a statement names a
 * label and the text of another option, the label counts, which is what was asked for, and the extraction says so
 * ({@link Extraction#againstText}).
 */
public final class AnswerExtractor {
    private static final int LONGEST_ANSWER = 60;

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
        ParsedResponse passage = new ParsedResponse(choices, response);
        Reading reading = new Reading(choices, passage);
        if (reading.decides()) {
            return reading.extraction();
        }
        if (reading.unfinished() || passage.folded.thinking()) {
            return Extraction.nothing(Rule.CUT);
        }
        LabelLines lines = new LabelLines(choices, passage);
        int line = lines.decides();
        if (line >= 0) {
            return reading.wrong(line) ? Extraction.nothing(Rule.WITHDRAWN) : lines.extraction();
        }
        int start = 0;
        while (start < passage.text.length() && !CharClass.word(passage.text.charAt(start))) {
            start++;
        }
        if (reading.declined() || passage.phrases.match(Word.REFUSAL, start) > 0) {
            return Extraction.nothing(Rule.REFUSAL);
        }
        return optionText(passage, lines.end(), reading);
    }

    private record Range(int from, int to) {}

    private Extraction optionText(ParsedResponse passage, int from, Reading reading) {
        List<Range> sentences = sentences(passage.text, from);
        if (!sentences.isEmpty() && cut(passage.text.substring(sentences.getLast().from, sentences.getLast().to))) {
            return Extraction.nothing(Rule.CUT);
        }
        for (Range sentence : sentences.reversed()) {
            Set<Integer> stated = choices.stated(passage.folded.names().substring(sentence.from, sentence.to));
            if (stated.isEmpty()) {
                continue;
            }
            int choice = stated.iterator().next();
            boolean negated = negated(passage, sentence, choices.text(choice));
            if (stated.size() > 1 || negated || reading.wrong(choice)) {
                return Extraction.nothing(negated ? Rule.NOTHING : Rule.SEVERAL);
            }
            int begin = passage.skip(sentence.from, " ");
            return passage.extraction(
                    choices.label(choice), Rule.OPTION_TEXT, begin, passage.back(sentence.to, " \n"), false);
        }
        return Extraction.nothing(Rule.NOTHING);
    }

    /** Whether a response's last sentence, longer than a mere answer, has no end. */
    private static boolean cut(String sentence) {
        String end = sentence.stripTrailing();
        long width = end.chars().map(c -> CharClass.unspaced((char) c) ? 2 : 1).sum();
        return width > LONGEST_ANSWER && ".。!?！？)）]}\"”»」』*:।۔؟".indexOf(end.charAt(end.length() - 1)) < 0;
    }

    // A "not" within the option's own text denies nothing.
    private static boolean negated(ParsedResponse passage, Range sentence, String option) {
        for (int at = sentence.from; at < sentence.to; at++) {
            if (!option.isEmpty() && passage.lower.startsWith(option, at)) {
                at += option.length() - 1;
            } else if (denies(passage, at)) {
                return true;
            }
        }
        return false;
    }

    // One character of a script without spaces may begin a name, as 不 begins 不丹 (Bhutan).
    private static boolean denies(ParsedResponse passage, int at) {
        int length = passage.phrases.match(Word.NOT, at);
        return length > 1 || length == 1 && !CharClass.unspaced(passage.lower.charAt(at));
    }

    /** A text's sentences, as they are written. */
    public static List<String> sentences(String text) {
        return sentences(text, 0).stream()
                .map(range -> text.substring(range.from, range.to))
                .toList();
    }

    /** Sentences end at these where a space or the end follows, or at a full stop of a script without spaces. */
    private static List<Range> sentences(String text, int from) {
        List<Range> sentences = new ArrayList<>();
        int start = from;
        boolean said = false;
        for (int i = from; i < text.length(); i++) {
            char c = text.charAt(i);
            said |= Character.isLetterOrDigit(c);
            boolean stop = "。！？\n।۔؟".indexOf(c) >= 0
                    || ".!?".indexOf(c) >= 0 && (i + 1 == text.length() || Character.isWhitespace(text.charAt(i + 1)));
            if (stop || i + 1 == text.length()) {
                if (said) {
                    sentences.add(new Range(start, i + 1));
                }
                start = i + 1;
                said = false;
            }
        }
        return sentences;
    }
}
