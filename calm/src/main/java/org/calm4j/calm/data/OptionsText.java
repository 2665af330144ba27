package org.calm4j.calm.data;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A question whose options stand in its text, a line each: "A. …" or "(A) …", from A on without a gap. */
public record OptionsText(String question, List<Question.Choice> choices) {
    private static final Pattern OPTION = Pattern.compile("\\s*(?:[(（]([A-Z])[)）]|([A-Z])\\s*[.:、．)）:：])\\s*(.*)");
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
        String question = BEFORE.matcher(String.join("\n", lines.subList(0, first)).strip()).replaceFirst("");
        return choices.size() < 2 || question.isBlank() ? null : new OptionsText(question, choices);
    }

    /** Whether two lines or more begin like options, even where they do not make a whole list. */
    public static boolean looksLike(String text) {
        return text.lines().filter(line -> label(line) != null).limit(2).count() == 2;
    }

    private static String label(String line) {
        Matcher matcher = OPTION.matcher(line);
        return !matcher.matches() ? null : matcher.group(1) == null ? matcher.group(2) : matcher.group(1);
    }

    private static String text(String line) {
        Matcher matcher = OPTION.matcher(line);
        return matcher.matches() ? matcher.group(3).strip() : line;
    }
}
