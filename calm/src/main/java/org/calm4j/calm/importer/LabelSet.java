package org.calm4j.calm.importer;

import java.text.Normalizer;
import java.util.List;
import java.util.Objects;
import java.util.function.IntFunction;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;

/**
 * The labels of a question.
 *
 * @param all in their order
 * @param known how many of them are certain; the others may be labels, as "E" if no answer is beyond "D"
 * @param open whether anything else may be a label as well
 */
record LabelSet(List<String> all, int known, boolean open) {
    /** A letter or a number, with any punctuation around it: "A.", "(A)", "**A**". */
    private static final Pattern MARKED =
            Pattern.compile("[\\s(\\[{<\"'*`_]*(\\p{L}|\\d{1,2})[\\s)\\]}>\"'*`_.:,;、。]*");
    /** Usual ways to write that there is no answer. */
    private static final Pattern NOTHING =
            Pattern.compile("(?i)[\\[(<{]?\\s*(none|null|nil|n/?a|nan|invalid|unknown|no[ _-]?answer|unanswered"
                    + "|missing|error|failed|undefined|empty|[-–—?._]*)\\s*[\\])>}]?");

    private static final int FEWEST_LABELS = 5;
    private static final int LAST_LETTER = 25;
    private static final int LAST_NUMBER = 99;

    static LabelSet of(List<String> all) {
        return new LabelSet(all, all.size(), false);
    }

    /**
     * The labels of a file of predictions, inferred from its answers, or from the predictions if it has none: letters from A, numbers from 0
     * or 1, or anything.
     */
    static LabelSet guess(List<String> answers, List<String> predictions) {
        List<String> said = written(predictions);
        List<String> sure = written(answers);
        List<String> some = sure.isEmpty() ? said : sure;
        List<Integer> letters =
                some.stream().map(LabelSet::letter).filter(Objects::nonNull).toList();
        List<Integer> numbers =
                some.stream().map(LabelSet::number).filter(Objects::nonNull).toList();
        if (2 * Math.max(letters.size(), numbers.size()) <= some.size()) {
            // "none" is a label if it is among the answers.
            return new LabelSet(
                    answers.stream()
                            .filter(answer -> answer != null && !answer.isBlank())
                            .map(String::strip)
                            .distinct()
                            .toList(),
                    0,
                    true);
        }
        if (letters.size() >= numbers.size()) {
            char a = 2
                                    * some.stream()
                                            .filter(each -> core(each).matches("[A-Z]"))
                                            .count()
                            >= letters.size()
                    ? 'A'
                    : 'a';
            return run(
                    0,
                    sure.isEmpty() ? List.of() : letters,
                    said.stream().map(LabelSet::letter).toList(),
                    LAST_LETTER,
                    place -> String.valueOf((char) (a + place)));
        }
        return run(
                numbers.contains(0) ? 0 : 1,
                sure.isEmpty() ? List.of() : numbers,
                said.stream().map(LabelSet::number).toList(),
                LAST_NUMBER,
                String::valueOf);
    }

    // Up to the last answer, and on while predictions have the next one: after "D", an "X" for "none" is not a label.
    private static LabelSet run(
            int first, List<Integer> answers, List<Integer> said, int greatest, IntFunction<String> text) {
        int known = answers.stream().mapToInt(each -> each - first + 1).max().orElse(0);
        int last = first + Math.max(known, FEWEST_LABELS) - 1;
        while (last < greatest && said.contains(last + 1)) {
            last++;
        }
        // With only two letters there may be more.
        boolean few = known == 0 || greatest == LAST_LETTER && known <= 2;
        return new LabelSet(
                IntStream.rangeClosed(first, last).mapToObj(text).toList(), few ? last - first + 1 : known, false);
    }

    /** The first of the labels if they are consecutive numbers; null otherwise. */
    Integer firstNumber() {
        Integer first = all.isEmpty() ? null : number(all.getFirst());
        boolean consecutive = first != null
                && !open
                && IntStream.range(0, all.size()).allMatch(i -> all.get(i).equals(String.valueOf(first + i)));
        return consecutive ? first : null;
    }

    /** Null if a value is not a label in any way of writing; numbers are labels only if written alike. */
    String label(String value) {
        if (all.contains(value)) {
            return value;
        }
        String core = core(value);
        if (all.contains(core)) {
            return core;
        }
        String other = all.stream()
                .filter(label -> label.equalsIgnoreCase(core))
                .findFirst()
                .orElse(null);
        if (other == null && firstNumber() != null && letter(value) != null && letter(value) < all.size()) {
            return all.get(letter(value));
        }
        return other != null || !open || isNothing(value) ? other : value;
    }

    private static List<String> written(List<String> values) {
        return values.stream()
                .filter(value -> !isNothing(value))
                .map(String::strip)
                .toList();
    }

    /** Whether a value is empty or says that there is no answer. */
    static boolean isNothing(String value) {
        return value == null
                || value.codePoints()
                        .allMatch(c -> Character.isWhitespace(c) || Character.getType(c) == Character.FORMAT)
                || NOTHING.matcher(value.strip()).matches();
    }

    /** A letter or number without the punctuation around it, in half width; anything else unchanged. */
    private static String core(String value) {
        String plain = Normalizer.normalize(value, Normalizer.Form.NFKC).strip();
        Matcher matcher = MARKED.matcher(plain);
        return matcher.matches() ? matcher.group(1) : plain;
    }

    /** The position of a Latin letter in the alphabet, from 0; null for anything else. */
    static Integer letter(String value) {
        String core = core(value);
        return core.matches("[A-Za-z]") ? Integer.valueOf(Character.toUpperCase(core.charAt(0)) - 'A') : null;
    }

    /** Null if a value is not a number. */
    static Integer number(String value) {
        String core = core(value);
        return core.matches("[0-9]{1,2}") ? Integer.valueOf(core) : null;
    }
}
