package org.calm4j.calm.extract;

import java.text.Normalizer;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.calm4j.calm.data.Question;

/**
 * Which choice a response decides for. First an explicit statement ("the answer is (B)", in many languages; the last one counts); then a
 * response that is a label alone; then the choice whose text the response states: the only one of the text, or the only one of its last
 * sentence that states any. Two choices are none.
 */
public final class AnswerExtractor {
    private static final int LONGEST = 100_000;
    /** Stands for a no-break space, which joins the words of one name. */
    private static final char JOINER = '\u2060';
    private static final String LABEL = "[\\(\\[{「『【《*_\"'`$\\s]*(?:\\\\(?:text|mathbf|boxed)\\{)?([A-J])(?![\\p{L}\\p{N}])";
    private static final String CUES = String.join("|", "answer(?:\\s+(?:choice|option))?\\s*(?:is|:|=)+", "(?:correct|right|best)\\s+(?:choice|option|answer)\\s*(?:is|:)+",
            "(?:la\\s+)?(?:bonne\\s+)?r[ée]ponse(?:\\s+correcte)?\\s*(?:est|:)+(?:\\s+donc)?", "(?:richtige\\s+)?antwort\\s*(?:ist|lautet|:)+", "(?:la\\s+)?risposta(?:\\s+(?:corretta|giusta))?\\s*(?:è|e'|:)+",
            "(?:la\\s+)?respuesta(?:\\s+correcta)?\\s*(?:es|:)+", "(?:a\\s+)?resposta(?:\\s+(?:correta|certa))?\\s*(?:é|:)+", "(?:正确)?(?:答案|选项)\\s*(?:应该|應該|就|应)?\\s*(?:是|为|為|选|:)+", "(?:应该|故|因此|所以)?选(?:择|项)?\\s*:?",
            "(?:正解|答え|解答|回答)\\s*(?:は|:)+", "정답은|답은|정답\\s*:", "ответ\\s*:?", "\\\\boxed\\{");
    private static final Pattern EXPLICIT = Pattern.compile("(?:" + CUES + ")(?:\\s+(?:option|choice|choix|opzione))?" + LABEL,
            Pattern.CASE_INSENSITIVE | Pattern.UNICODE_CASE);
    private static final Pattern ALONE = Pattern.compile("[\\s\\(\\[*\"']*([A-Ja-j])(?:[\\s\\)\\].:*\"']*|[\\s\\)\\].:*]+.{0,200})", Pattern.DOTALL);
    private static final Pattern SENTENCE_END = Pattern.compile("[.!?。！？\\n]+(?=\\s|$|[^\\x00-\\x7f])");

    /** A full stop set apart: such a text separates all its words by spaces, in any script, so that words are compared and not letters. */
    private static final Pattern SEPARATED = Pattern.compile(" [.。] ?$");

    private AnswerExtractor() {
    }

    /** The label of a choice; null when the response decides for none, or for two. */
    public static String extract(String response, List<Question.Choice> choices) {
        String text = normalize(response.length() > LONGEST ? response.substring(response.length() - LONGEST) : response);
        Matcher explicit = EXPLICIT.matcher(text);
        String last = null;
        while (explicit.find()) {
            last = label(explicit.group(1), choices, last);
        }
        if (last != null) {
            return last;
        }
        Matcher alone = ALONE.matcher(text.strip());
        if (alone.matches() && (text.strip().length() <= 4 || Character.isUpperCase(alone.group(1).charAt(0)))) {
            String label = label(alone.group(1), choices, null);
            boolean sentence = text.strip().matches("[Aa] \\p{L}.*");
            if (label != null && !sentence) {
                return label;
            }
        }
        return stated(text, choices);
    }

    private static String label(String found, List<Question.Choice> choices, String otherwise) {
        for (Question.Choice choice : choices) {
            if (choice.label().equalsIgnoreCase(found)) {
                return choice.label();
            }
        }
        return otherwise;
    }

    /** NFKC, so that full-width letters are plain ones, with single spaces. */
    static String normalize(String text) {
        return Normalizer.normalize(text.replace('\u00a0', JOINER), Normalizer.Form.NFKC).replaceAll("[ \\t\\u200b]+", " ");
    }

    private static String stated(String text, List<Question.Choice> choices) {
        if (SEPARATED.matcher(text).find()) {
            List<String> words = List.of(text.split(" "));
            List<String> labels = choices.stream().filter(choice -> words.contains(normalize(choice.text()))).map(Question.Choice::label).toList();
            return labels.size() == 1 ? labels.getFirst() : null;
        }
        String lower = text.toLowerCase(Locale.ROOT);
        List<String> labels = statedIn(lower, choices);
        if (labels.size() <= 1) {
            return labels.isEmpty() ? null : labels.getFirst();
        }
        String[] sentences = SENTENCE_END.split(lower);
        for (int i = sentences.length - 1; i >= 0; i--) {
            List<String> inSentence = statedIn(sentences[i], choices);
            if (!inSentence.isEmpty()) {
                return inSentence.size() == 1 ? inSentence.getFirst() : null;
            }
        }
        return null;
    }

    /** Labels of the choices whose texts stand in the text and not only inside a longer choice's text. */
    private static List<String> statedIn(String text, List<Question.Choice> choices) {
        boolean[] covered = new boolean[text.length()];
        List<Question.Choice> longestFirst = new ArrayList<>(choices);
        longestFirst.sort((a, b) -> Integer.compare(b.text().length(), a.text().length()));
        List<String> labels = new ArrayList<>();
        for (Question.Choice choice : longestFirst) {
            String option = normalize(choice.text()).toLowerCase(Locale.ROOT).strip();
            if (!option.isEmpty() && cover(text, option, covered)) {
                labels.add(choice.label());
            }
        }
        return labels;
    }

    private static boolean cover(String text, String option, boolean[] covered) {
        boolean found = false;
        for (int at = text.indexOf(option); at >= 0; at = text.indexOf(option, at + option.length())) {
            int end = at + option.length();
            if (!covered[at] && !joined(text, at - 1, at) && !joined(text, end - 1, end)) {
                found = true;
                for (int i = at; i < end; i++) {
                    covered[i] = true;
                }
            }
        }
        return found;
    }

    /** Whether two neighbouring characters belong to one word of an alphabetic script, or to one number. */
    private static boolean joined(String text, int left, int right) {
        return left >= 0 && right < text.length() && inWord(text.charAt(left)) && inWord(text.charAt(right));
    }

    private static boolean inWord(char c) {
        return c == JOINER || Character.isLetterOrDigit(c) && !Character.isIdeographic(c)
                && Character.UnicodeScript.of(c) != Character.UnicodeScript.HIRAGANA && Character.UnicodeScript.of(c) != Character.UnicodeScript.KATAKANA
                && Character.UnicodeScript.of(c) != Character.UnicodeScript.THAI;
    }
}
