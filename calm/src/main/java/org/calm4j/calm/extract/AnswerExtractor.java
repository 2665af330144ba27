package org.calm4j.calm.extract;

import java.text.Normalizer;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.calm4j.calm.data.Question;

/**
 * Which option a response answers, in any of the languages of {@code phrases.yaml}, in time linear in its length.
 *
 * <p>The last explicit statement decides, such as "The answer is (B)" or "答案是B"; a statement of two answers or of none is no answer. Without
 * one, a line with nothing but a label; without that, the text of the option that the last sentence states, or else the whole response, if
 * it is exactly one. Where a statement names a label and the text of another option, the label counts.
 */
public final class AnswerExtractor {
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
            return new Extraction(null, Extraction.Rule.NOTHING);
        }
        String text = normalized(response);
        Statements statements = new Statements(choices, text);
        if (statements.found()) {
            return new Extraction(statements.label(), Extraction.Rule.STATEMENT);
        }
        String line = labelLine(text);
        if (line != null) {
            return new Extraction(line, Extraction.Rule.LABEL_LINE);
        }
        Set<Integer> stated = choices.stated(response);
        return stated.size() == 1 ? new Extraction(choices.label(stated.iterator().next()), Extraction.Rule.OPTION_TEXT)
                : new Extraction(null, Extraction.Rule.NOTHING);
    }

    /** Full-width letters and punctuation become ASCII, no-break spaces become spaces. */
    static String normalized(String text) {
        return Normalizer.normalize(text, Normalizer.Form.NFKC);
    }

    /** Lower case without a change of length. */
    static String lower(String text) {
        StringBuilder lower = new StringBuilder(text.length());
        for (int i = 0; i < text.length(); i++) {
            lower.append(Character.toLowerCase(text.charAt(i)));
        }
        return lower.toString();
    }

    // One label alone, however often; or, of several, the last line's, unless the lines just repeat the options.
    private String labelLine(String text) {
        Set<Integer> labels = new LinkedHashSet<>();
        int last = -1;
        for (String line : text.split("\\R")) {
            if (!line.isBlank()) {
                last = lineLabel(line.strip());
                if (last >= 0) {
                    labels.add(last);
                }
            }
        }
        if (labels.size() == 1) {
            return choices.label(labels.iterator().next());
        }
        if (last >= 0 && labels.size() < choices.size()) {
            return choices.label(last);
        }
        return labels.isEmpty() ? opening(text.strip()) : null;
    }

    // "D. because …": a response that opens with a label.
    private String opening(String text) {
        int at = 0;
        while (at < text.length() && CharClass.decoration(text.charAt(at))) {
            at++;
        }
        int label = at < text.length() ? choices.labelAt(text, at) : -1;
        int end = label < 0 ? 0 : at + choices.label(label).length();
        boolean marked = label >= 0 && !Character.isLowerCase(text.charAt(at)) && end < text.length()
                && (CharClass.closing(text.charAt(end)) || ".:、,".indexOf(text.charAt(end)) >= 0);
        return marked ? choices.label(label) : null;
    }

    private int lineLabel(String line) {
        int start = 0;
        int end = line.length();
        while (start < end && (CharClass.decoration(line.charAt(start)) || line.charAt(start) == ' ')) {
            start++;
        }
        while (end > start && (CharClass.decoration(line.charAt(end - 1)) || " .:。,;!".indexOf(line.charAt(end - 1)) >= 0)) {
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
        return rest == bare.length() || rest > choices.label(label).length() && lower(bare.substring(rest)).equals(choices.text(label)) ? label : -1;
    }

    /** The explicit statements of a text; the last one counts. */
    private static final class Statements {
        private static final int MOST_FILLERS = 24;
        private static final int NOTHING = -1;
        private static final int NO_ANSWER = -2;
        /** Less the option that is said to be wrong. */
        private static final int WRONG = -3;

        private final Choices choices;
        private final String text;
        private final String lower;
        private int last = NOTHING;

        Statements(Choices choices, String text) {
            this.choices = choices;
            this.text = text;
            lower = lower(text);
            for (int at = 0; at < text.length(); at++) {
                int marker = Phrases.ALL.match(Phrases.ALL.markers, lower, at);
                int answer = marker > 0 ? behind(at + marker) : isCorrect(at);
                if (answer <= WRONG) {
                    // "The answer A is wrong" says nothing about another one.
                    answer = last == NOTHING || last == WRONG - answer ? NO_ANSWER : NOTHING;
                }
                last = answer == NOTHING ? last : answer;
            }
        }

        boolean found() {
            return last != NOTHING;
        }

        String label() {
            return last >= 0 ? choices.label(last) : null;
        }

        /** The option of "B is correct". */
        private int isCorrect(int from) {
            boolean begins = Character.isUpperCase(text.charAt(from)) && (from == 0 || !CharClass.spaced(text.charAt(from - 1)));
            int label = begins ? choices.labelAt(text, from) : -1;
            if (label < 0) {
                return NOTHING;
            }
            int at = skip(from + choices.label(label).length(), " )]*\"'”’");
            int is = Phrases.ALL.match(Phrases.ALL.is, lower, at);
            return is > 0 && Phrases.ALL.match(Phrases.ALL.correct, lower, skip(at + is, " ")) > 0 ? label : NOTHING;
        }

        /** The option that follows a marker. */
        private int behind(int from) {
            int at = from;
            for (int i = 0; i < MOST_FILLERS && at < text.length(); i++) {
                int label = choices.labelAt(text, at);
                if (label >= 0 && isLabel(at, choices.label(label).length())) {
                    return single(label, at + choices.label(label).length());
                }
                if (choices.labelsAt(text, at) > 1) {
                    return NO_ANSWER;
                }
                int stated = choices.textAt(lower, at);
                if (stated >= 0) {
                    return stated;
                }
                if (Phrases.ALL.match(Phrases.ALL.none, lower, at) > 0) {
                    return NO_ANSWER;
                }
                int filler = Phrases.ALL.match(Phrases.ALL.fillers, lower, at);
                char c = text.charAt(at);
                if (filler == 0 && !Character.isWhitespace(c) && !CharClass.decoration(c) && ":=-–—>,・".indexOf(c) < 0) {
                    return NOTHING;
                }
                at += Math.max(1, filler);
            }
            return NOTHING;
        }

        // "a" is an article until something says that it is a label.
        private boolean isLabel(int at, int length) {
            if (!Character.isLowerCase(text.charAt(at))) {
                return true;
            }
            int end = at + length;
            boolean enclosed = at > 0 && CharClass.decoration(text.charAt(at - 1));
            return enclosed || end == text.length() || CharClass.closing(text.charAt(end)) || ".:\n".indexOf(text.charAt(end)) >= 0;
        }

        private int single(int label, int end) {
            int spaces = skip(end, " ");
            int article = spaces > end ? choices.textAt(lower, spaces) : -1;
            if (article >= 0 && article != label) {
                // "Answer: A hospital"
                return article;
            }
            Set<Integer> named = new LinkedHashSet<>(List.of(label));
            int at = skipOption(label, end);
            for (int next = conjoined(at); next >= 0; next = conjoined(at)) {
                named.add(next);
                at = skipOption(next, joinedEnd);
            }
            if (named.size() > 1) {
                return NO_ANSWER;
            }
            int is = Phrases.ALL.match(Phrases.ALL.is, lower, at = skip(at, " "));
            return Phrases.ALL.match(Phrases.ALL.wrong, lower, skip(at + is, " (")) > 0 ? WRONG - label : label;
        }

        private int joinedEnd;

        /** The label behind a conjunction at a place, -1 without; sets where it ends. */
        private int conjoined(int from) {
            int at = skip(from, " ");
            int length = Phrases.ALL.match(Phrases.ALL.conjunctions, lower, at);
            if (length == 0) {
                return -1;
            }
            boolean weak = ",、".indexOf(text.charAt(at)) >= 0;
            at = skip(at + length, " ");
            int second = weak ? Phrases.ALL.match(Phrases.ALL.conjunctions, lower, at) : 0;
            at = skip(at + second, " (\"'*[");
            int label = at < text.length() ? choices.labelAt(text, at) : -1;
            if (label < 0 || !Character.isUpperCase(text.charAt(at)) && !Character.isDigit(text.charAt(at))) {
                return -1;
            }
            joinedEnd = at + choices.label(label).length();
            int behind = skip(joinedEnd, " )\"'*]");
            // "B, A is wrong" goes on with a word.
            return weak && second == 0 && behind < text.length() && CharClass.spaced(text.charAt(behind))
                    && Phrases.ALL.match(Phrases.ALL.conjunctions, lower, behind) == 0 ? -1 : label;
        }

        // The label's closing and its option's text.
        private int skipOption(int label, int end) {
            int at = skip(end, " ).:]\"'*、");
            int behind = at + choices.text(label).length();
            boolean stated = behind > at && lower.startsWith(choices.text(label), at);
            return stated ? skip(behind, " )\"'*]") : skip(end, " )\"'*]");
        }

        private int skip(int from, String characters) {
            int at = from;
            while (at < text.length() && characters.indexOf(text.charAt(at)) >= 0) {
                at++;
            }
            return at;
        }
    }

    /** Sentences end at these where a space or the end follows, or at a full stop of a script without spaces. */
    static List<String> sentences(String text) {
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
