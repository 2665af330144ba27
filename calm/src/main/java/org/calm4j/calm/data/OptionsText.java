package org.calm4j.calm.data;

import java.text.Normalizer;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A question with its options in the text, from the first label on without a gap: one per line, "A. …", "a) …", "(1) …", "① …", "A、…",
 * in half or full width; or, if there are no such lines, three or more in a row on one line. Whatever the labels in the text, the choices
 * become A, B and so on, so that they are the same in all languages.
 *
 * @param written the labels as written in the text
 */
public record OptionsText(String question, List<Question.Choice> choices, List<String> written) {
    /** Alphabets of labels, in their order; the first that a text has a list of is used. */
    private static final List<String> ALPHABETS = List.of(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
            "abcdefghijklmnopqrstuvwxyz",
            "①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮",
            "1",
            "가나다라마바사아자차",
            "ㄱㄴㄷㄹㅁㅂㅅㅇㅈㅊ",
            "アイウエオカキクケコ",
            "甲乙丙丁戊己庚辛",
            "АБВГДЕЖЗИК",
            "абвгдежзик",
            "أبجدهو",
            "কখগঘঙচ",
            "कखगघङच");

    private static final int CIRCLED = 2;
    private static final int NUMBERS = 3;
    private static final String LABEL = "([\\p{L}Ａ-Ｚａ-ｚ]|[1-9１-９][0-9０-９]?)";
    private static final String RING = "([①-⑮❶-❿Ⓐ-ⓩ⑴-⒂⒈-⒖⒜-⒵])";
    /** A number before a number is not a label: "1.5", "10:30". */
    private static final String SIGNED = "(?:[(（\\[【]\\s*" + LABEL + "\\s*[)）\\]】]|" + LABEL
            + "\\s*[.:、．。)）：](?!(?<=[0-9][.:])[0-9])|" + RING
            + "[.:、．。)）：]?)";

    private static final Pattern OPTION =
            Pattern.compile("\\s*(?:[-*•]\\s+)?(?:\\*\\*)?" + SIGNED + "(?:\\*\\*)?\\s*(.*)");
    private static final Pattern INLINE = Pattern.compile("(?:(?<=^|\\s)|(?=[①-⑮❶-❿Ⓐ-ⓩ⑴-⒂⒈-⒖⒜-⒵]))" + SIGNED + "\\s*");
    /** Only a label. */
    private static final Pattern BARE =
            Pattern.compile("[(（\\[【]?\\s*(?:" + LABEL + "()|" + RING + ")\\s*[)）\\]】.:、．。：]?");

    private static final int FEWEST_INLINE = 3;
    /** "Question:" before and "Answer:" after: scaffolding of a prompt, in any language. */
    private static final Pattern BEFORE = Pattern.compile(
            "^(?:Question|Frage|Domanda|Pregunta|Pergunta|问题|質問|질문|Вопрос)\\s*[:：]\\s*", Pattern.CASE_INSENSITIVE);

    private static final Pattern BEHIND = Pattern.compile(
            "^(?:Answer|Réponse|Antwort|Risposta|Respuesta|Resposta|答案|答え|回答|답|Ответ)\\s*[:：]?\\s*$",
            Pattern.CASE_INSENSITIVE);

    /** A label by its alphabet and its position there, from 0. */
    private record Label(int alphabet, int place, String written) {
        static Label of(MatchResult match) {
            String label =
                    match.group(1) != null ? match.group(1) : match.group(3) != null ? match.group(3) : match.group(2);
            for (int i = 0; i < ALPHABETS.size(); i++) {
                if (i != NUMBERS && ALPHABETS.get(i).contains(label)) {
                    return new Label(i, ALPHABETS.get(i).indexOf(label), label);
                }
            }
            if (label.charAt(0) >= '❶' && label.charAt(0) <= '❿') {
                return new Label(CIRCLED, label.charAt(0) - '❶', label);
            }
            // Full-width labels, and letters and numbers in other rings.
            String plain = Normalizer.normalize(label, Normalizer.Form.NFKC).replaceAll("[().]", "");
            if (plain.matches("[0-9]{1,2}")) {
                return new Label(match.group(3) == null ? NUMBERS : CIRCLED, Integer.parseInt(plain) - 1, label);
            }
            int letter = plain.length() == 1 ? ALPHABETS.get(0).indexOf(plain.toUpperCase(Locale.ROOT)) : -1;
            return letter < 0 ? null : new Label(Character.isUpperCase(plain.charAt(0)) ? 0 : 1, letter, label);
        }
    }

    /** Null if the text has fewer than two options, or one in between is missing. */
    public static OptionsText parse(String text) {
        List<String> lines = new ArrayList<>(text.strip().lines().toList());
        while (!lines.isEmpty()
                && (lines.getLast().isBlank()
                        || BEHIND.matcher(lines.getLast().strip()).matches())) {
            lines.removeLast();
        }
        for (int alphabet = 0; alphabet < ALPHABETS.size(); alphabet++) {
            int first = first(lines, alphabet);
            if (first >= 0) {
                OptionsText found = first < 1 ? null : lines(lines, first, alphabet);
                // Capital letters that do not form a list are a broken list.
                if (found != null || alphabet == 0) {
                    return found;
                }
            }
        }
        for (int alphabet = 0; alphabet < ALPHABETS.size(); alphabet++) {
            OptionsText found = inline(String.join("\n", lines), alphabet);
            if (found != null) {
                return found;
            }
        }
        return null;
    }

    // The options begin at the last occurrence of the first label: an earlier one belongs to the question.
    private static int first(List<String> lines, int alphabet) {
        for (int i = lines.size() - 1; i >= 0; i--) {
            Label label = label(lines.get(i));
            if (label != null && label.alphabet == alphabet && label.place == 0) {
                return i;
            }
        }
        return -1;
    }

    private static OptionsText lines(List<String> lines, int first, int alphabet) {
        List<String> texts = new ArrayList<>();
        List<String> written = new ArrayList<>();
        for (String line : lines.subList(first, lines.size())) {
            Label label = label(line);
            boolean own = label != null && label.alphabet == alphabet;
            if (own && label.place == texts.size()) {
                texts.add(text(line));
                written.add(label.written);
            } else if (own && label.place == texts.size() + 1) {
                // The one in between is garbled.
                return null;
            } else if (!line.isBlank()) {
                // An option of more than one line.
                texts.add((texts.removeLast() + "\n" + line).strip());
            }
        }
        return texts.size() < 2 ? null : of(String.join("\n", lines.subList(0, first)), texts, written);
    }

    private static OptionsText of(String before, List<String> texts, List<String> written) {
        String question = BEFORE.matcher(before.strip()).replaceFirst("");
        List<Question.Choice> choices = new ArrayList<>();
        for (int i = 0; i < texts.size() && i < ALPHABETS.getFirst().length(); i++) {
            choices.add(new Question.Choice(ALPHABETS.getFirst().substring(i, i + 1), texts.get(i)));
        }
        return question.isBlank() || choices.size() < texts.size() ? null : new OptionsText(question, choices, written);
    }

    private static OptionsText inline(String text, int alphabet) {
        List<MatchResult> found = new ArrayList<>();
        List<String> written = new ArrayList<>();
        for (MatchResult match : INLINE.matcher(text).results().toList()) {
            Label label = Label.of(match);
            if (label == null || label.alphabet != alphabet) {
                continue;
            }
            // As with lines, the options begin at the last occurrence of the first label.
            if (label.place == 0) {
                found.clear();
                written.clear();
            }
            if (label.place == found.size()) {
                found.add(match);
                written.add(label.written);
            }
        }
        if (found.size() < FEWEST_INLINE) {
            return null;
        }
        List<String> texts = new ArrayList<>();
        for (int i = 0; i < found.size(); i++) {
            int end = i + 1 < found.size() ? found.get(i + 1).start() : text.length();
            texts.add(text.substring(found.get(i).end(), end).strip());
        }
        return of(text.substring(0, found.getFirst().start()), texts, written);
    }

    /** Whether two or more lines begin like options with capital letters, even if they do not form a complete list. */
    public static boolean looksLike(String text) {
        return text.lines()
                                .map(OptionsText::label)
                                .filter(label -> label != null && label.alphabet == 0)
                                .limit(2)
                                .count()
                        == 2
                || inline(text, 0) != null;
    }

    /** Whether the written labels are those of the choices, so that responses use them. */
    public boolean hasLetters() {
        return written.stream()
                .allMatch(label -> label.length() == 1
                        && Normalizer.normalize(label, Normalizer.Form.NFKC).matches("[A-Za-z]"));
    }

    /**
     * The choice that a text names by label, by label and text, or by text; null if it names none, or if the label is followed by the text
     * of another choice.
     */
    public Question.Choice named(String text) {
        String plain = text.strip();
        Matcher signed = OPTION.matcher(plain.lines().findFirst().orElse(""));
        Matcher bare = BARE.matcher(plain);
        Label label = bare.matches() ? Label.of(bare) : signed.matches() ? Label.of(signed) : null;
        int place = label == null ? -1 : label.place;
        // A number is not read as a letter: it might count from 0.
        boolean same = label != null
                && (label.alphabet <= 1
                        || label.alphabet == label(written.getFirst() + ".").alphabet
                        || label.alphabet == NUMBERS && label(written.getFirst() + ".").alphabet == CIRCLED
                        || label.alphabet == CIRCLED && label(written.getFirst() + ".").alphabet == NUMBERS);
        if (same && place < choices.size()) {
            String behind = bare.matches() ? "" : signed.group(4).strip();
            boolean other = choices.stream().anyMatch(choice -> choice.text().equals(behind))
                    && !choices.get(place).text().equals(behind);
            return other ? null : choices.get(place);
        }
        return choices.stream()
                .filter(choice -> choice.text().equals(plain))
                .findFirst()
                .orElse(null);
    }

    private static Label label(String line) {
        Matcher matcher = OPTION.matcher(line);
        return matcher.matches() ? Label.of(matcher) : null;
    }

    private static String text(String line) {
        Matcher matcher = OPTION.matcher(line);
        return matcher.matches() ? matcher.group(4).strip() : line;
    }
}
