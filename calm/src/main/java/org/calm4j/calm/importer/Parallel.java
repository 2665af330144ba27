package org.calm4j.calm.importer;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.calm4j.calm.data.Question;
import org.calm4j.calm.importer.ImportReport.Kind;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;

/** Compares the questions of two languages, which should be the same under the same ids. */
public final class Parallel {
    private static final Pattern NUMBER = Pattern.compile("\\d+(?:[.,]\\d+)?");
    /** Maximum number of cells in the table of an alignment. */
    private static final long LARGEST_TABLE = 100_000_000;

    private static final double GAP = -0.5;

    private final Map<String, Question> others = new LinkedHashMap<>();

    /** @param others questions of the other language */
    public Parallel(List<Question> others) {
        others.forEach(question -> this.others.put(question.id(), question));
    }

    /** Reports questions that only one language has, and differences. */
    public void compare(Imported imported) {
        ImportReport report = imported.report();
        Map<String, Question> here = new HashMap<>();
        for (Question question : questions(imported)) {
            here.put(question.id(), question);
            Question other = others.get(question.id());
            if (other == null) {
                report.add(
                        Kind.EXTRA,
                        imported.place(question.id()),
                        question.id(),
                        "the other language does not have this id");
            } else if (other.choices().size() != question.choices().size()) {
                report.add(
                        Kind.DIFFERS,
                        imported.place(question.id()),
                        question.id(),
                        question.choices().size() + " options, "
                                + other.choices().size()
                                + " in " + other.language());
            } else if (other.answer() != null
                    && question.answer() != null
                    && !other.answer().equals(question.answer())) {
                report.add(
                        Kind.DIFFERS,
                        imported.place(question.id()),
                        question.id(),
                        "the answer is " + question.answer() + ", but in " + other.language() + " " + other.answer());
            }
        }
        others.values().stream()
                .filter(other -> !here.containsKey(other.id()))
                .forEach(other -> report.add(
                        Kind.MISSING, other.language(), other.id(), "has no counterpart in " + imported.language()));
    }

    /**
     * Gives items the ids of the questions that they translate, if an extra or missing item in one of the files has shifted the positions.
     * Both files are assumed to have the same order; answers and numbers in the texts show which items belong together. An item without a
     * counterpart gets an id that no other language has.
     *
     * @throws CalmException bad input: the items have their own ids, or are too many
     */
    public void align(Imported imported) {
        if (!imported.hasPositions()) {
            throw CalmException.usage(Setting.of("align"), " is for items without their own ids, but these have some");
        }
        List<Question> here = questions(imported);
        List<Question> there = List.copyOf(others.values());
        if ((here.size() + 1L) * (there.size() + 1L) > LARGEST_TABLE) {
            throw CalmException.usage(
                    Setting.of("align"), ": " + here.size() + " and " + there.size() + " items are too many");
        }
        List<String> ids = new ArrayList<>();
        int[] partners = partners(here, there);
        for (int i = 0; i < partners.length; i++) {
            ids.add(
                    partners[i] >= 0
                            ? there.get(partners[i]).id()
                            : imported.language() + "-only-" + here.get(i).id());
        }
        imported.rename(ids);
    }

    private static List<Question> questions(Imported imported) {
        return imported.lines().stream()
                .map(line -> {
                    if (Imported.isText(line)) {
                        throw CalmException.usage(
                                Setting.of("parallel"), " is for questions and samples, not for texts to train on");
                    }
                    return Imported.question(line);
                })
                .toList();
    }

    // The best monotone alignment (Needleman and Wunsch 1970). For each item its counterpart; -1 if it has none.
    private static int[] partners(List<Question> here, List<Question> there) {
        int n = here.size();
        int m = there.size();
        List<Map<String, Integer>> hereNumbers =
                here.stream().map(Parallel::numbers).toList();
        List<Map<String, Integer>> thereNumbers =
                there.stream().map(Parallel::numbers).toList();
        byte[][] steps = new byte[n + 1][m + 1];
        double[] above = new double[m + 1];
        for (int j = 1; j <= m; j++) {
            above[j] = j * GAP;
            steps[0][j] = 2;
        }
        for (int i = 1; i <= n; i++) {
            double[] row = new double[m + 1];
            row[0] = i * GAP;
            steps[i][0] = 1;
            for (int j = 1; j <= m; j++) {
                double both = above[j - 1]
                        + likeness(here.get(i - 1), there.get(j - 1), hereNumbers.get(i - 1), thereNumbers.get(j - 1));
                double alone = Math.max(above[j], row[j - 1]) + GAP;
                row[j] = Math.max(both, alone);
                steps[i][j] = (byte) (both >= alone ? 0 : above[j] >= row[j - 1] ? 1 : 2);
            }
            above = row;
        }
        int[] partners = new int[n];
        Arrays.fill(partners, -1);
        for (int i = n, j = m; i > 0 || j > 0; ) {
            switch (steps[i][j]) {
                case 0 -> partners[--i] = --j;
                case 1 -> i--;
                default -> j--;
            }
        }
        return partners;
    }

    private static double likeness(Question a, Question b, Map<String, Integer> inA, Map<String, Integer> inB) {
        double answers =
                a.answer() == null || b.answer() == null ? 0 : a.answer().equals(b.answer()) ? 1 : -2;
        double options = a.choices().size() == b.choices().size() ? 0 : -1;
        int all = inA.values().stream().mapToInt(Integer::intValue).sum()
                + inB.values().stream().mapToInt(Integer::intValue).sum();
        int common = 0;
        for (Map.Entry<String, Integer> entry : inA.entrySet()) {
            common += Math.min(entry.getValue(), inB.getOrDefault(entry.getKey(), 0));
        }
        return answers + options + (all == 0 ? 0.5 : 4.0 * common / all);
    }

    private static Map<String, Integer> numbers(Question question) {
        Map<String, Integer> numbers = new HashMap<>();
        Matcher matcher = NUMBER.matcher(question.question());
        while (matcher.find()) {
            numbers.merge(matcher.group().replace(',', '.'), 1, Integer::sum);
        }
        return numbers;
    }
}
