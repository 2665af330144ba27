package org.calm4j.calm.data;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A question whose options stand in its text, from A on without a gap: a line each, "A. …", "A: …", "A、…" or "(A) …", with half- or
 * full-width letters and signs; or, where no lines are such, three or more behind each other in one line.
 */
public record OptionsText(String question, List<Question.Choice> choices) {
    private static final Pattern OPTION = Pattern.compile("\\s*(?:[(（\\[【]\\s*([A-ZＡ-Ｚ])\\s*[)）\\]】]|([A-ZＡ-Ｚ])\\s*[.:、．。)）：])\\s*(.*)");
    private static final Pattern INLINE = Pattern.compile("(?<=^|\\s)(?:[(（]([A-ZＡ-Ｚ])[)）]|([A-ZＡ-Ｚ])[.:、．)）：])\\s*");
    private static final int FEWEST_INLINE = 3;
    /** "Question:" before, and "Answer:" behind: scaffolding of a prompt, in any language. */
    private static final Pattern BEFORE = Pattern.compile("^(?:Question|Frage|Domanda|Pregunta|Pergunta|问题|質問|질문|Вопрос)\\s*[:：]\\s*",
            Pattern.CASE_INSENSITIVE);
    private static final Pattern BEHIND = Pattern.compile(
            "^(?:Answer|Réponse|Antwort|Risposta|Respuesta|Resposta|答案|答え|回答|답|Ответ)\\s*[:：]?\\s*$",
            Pattern.CASE_INSENSITIVE);

    /** Null where the text has not two options or more, or one is missing in between. */
    public static OptionsText parse(String text) {
        List<String> lines = new ArrayList<>(text.strip().lines().toList());
        while (!lines.isEmpty() && (lines.getLast().isBlank() || BEHIND.matcher(lines.getLast().strip()).matches())) {
            lines.removeLast();
        }
        // The last "A" begins the options: one in the question's own text comes earlier.
        int first = -1;
        for (int i = 0; i < lines.size(); i++) {
            if ("A".equals(label(lines.get(i)))) {
                first = i;
            }
        }
        if (first < 0) {
            return inline(String.join("\n", lines));
        }
        if (first < 1) {
            return null;
        }
        List<Question.Choice> choices = new ArrayList<>();
        for (String line : lines.subList(first, lines.size())) {
            String label = label(line);
            if (label != null && label.charAt(0) == 'A' + choices.size()) {
                choices.add(new Question.Choice(label, text(line)));
            } else if (label != null && label.charAt(0) == 'A' + choices.size() + 1) {
                // The one between is garbled.
                return null;
            } else if (!line.isBlank()) {
                // An option that goes over more than one line.
                Question.Choice last = choices.removeLast();
                choices.add(new Question.Choice(last.label(), (last.text() + "\n" + line).strip()));
            }
        }
        return choices.size() < 2 ? null : of(String.join("\n", lines.subList(0, first)), choices);
    }

    private static OptionsText of(String before, List<Question.Choice> choices) {
        String question = BEFORE.matcher(before.strip()).replaceFirst("");
        return question.isBlank() ? null : new OptionsText(question, choices);
    }

    private static OptionsText inline(String text) {
        List<MatchResult> found = new ArrayList<>();
        for (MatchResult match : INLINE.matcher(text).results().toList()) {
            String label = label(match);
            // As with lines, the last "A" begins the options.
            if (label.equals("A")) {
                found.clear();
            }
            if (label.charAt(0) == 'A' + found.size()) {
                found.add(match);
            }
        }
        if (found.size() < FEWEST_INLINE) {
            return null;
        }
        List<Question.Choice> choices = new ArrayList<>();
        for (int i = 0; i < found.size(); i++) {
            int end = i + 1 < found.size() ? found.get(i + 1).start() : text.length();
            choices.add(new Question.Choice(label(found.get(i)), text.substring(found.get(i).end(), end).strip()));
        }
        return of(text.substring(0, found.getFirst().start()), choices);
    }

    /** Whether two lines or more begin like options, even where they do not make a whole list. */
    public static boolean looksLike(String text) {
        return text.lines().filter(line -> label(line) != null).limit(2).count() == 2 || inline(text) != null;
    }

    private static String label(String line) {
        Matcher matcher = OPTION.matcher(line);
        return matcher.matches() ? label(matcher) : null;
    }

    private static String label(MatchResult match) {
        return half(match.group(1) == null ? match.group(2) : match.group(1));
    }

    /** A letter in its usual width. */
    public static String half(String letter) {
        return letter.charAt(0) >= 'Ａ' ? String.valueOf((char) (letter.charAt(0) - 'Ａ' + 'A')) : letter;
    }

    private static String text(String line) {
        Matcher matcher = OPTION.matcher(line);
        return matcher.matches() ? matcher.group(3).strip() : line;
    }
}
