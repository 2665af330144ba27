package org.calm4j.calm.metric;

import it.unimi.dsi.fastutil.ints.IntArrayList;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import org.calm4j.calm.data.Prediction;
import org.calm4j.engine.CalmException;

/** Predictions as a table, questions × languages, both in the order of their first appearance. */
final class AnswerTable {
    final List<String> ids;
    final List<String> languages;
    /** The numbers of the questions of each group; a question without one is a group of its own. */
    final int[][] groups;

    private final Prediction[][] cells;
    // Looked up thousands of times by each bootstrap.
    private final boolean[][] graded;
    private final boolean[][] correct;
    // Shares over language pairs, by question: the pairs that agree at all, and those that agree on the truth.
    private final double[] agreeing;
    private final double[] agreeingRight;

    AnswerTable(List<Prediction> predictions) {
        if (predictions.isEmpty()) {
            throw CalmException.badInput(
                    "predictions", "there are none; give lines with id, language, answer and prediction");
        }
        Map<String, Integer> rows = new LinkedHashMap<>();
        LinkedHashSet<String> columns = new LinkedHashSet<>();
        for (Prediction each : predictions) {
            if (each.id() == null || each.language() == null) {
                throw CalmException.badInput("prediction " + each.id(), "needs an id and a language");
            }
            rows.putIfAbsent(each.id(), rows.size());
            columns.add(each.language());
        }
        ids = List.copyOf(rows.keySet());
        languages = List.copyOf(columns);
        cells = new Prediction[ids.size()][languages.size()];
        for (Prediction each : predictions) {
            int q = rows.get(each.id());
            int l = languages.indexOf(each.language());
            if (cells[q][l] != null) {
                throw CalmException.badInput(
                        "prediction " + each.id(),
                        "appears twice in language '" + each.language() + "'; keep one line for each id and language");
            }
            cells[q][l] = each;
        }
        graded = new boolean[ids.size()][languages.size()];
        correct = new boolean[ids.size()][languages.size()];
        for (int q = 0; q < ids.size(); q++) {
            for (int l = 0; l < languages.size(); l++) {
                graded[q][l] = cells[q][l] != null && cells[q][l].answer() != null;
                correct[q][l] = graded[q][l] && cells[q][l].answer().equals(cells[q][l].prediction());
            }
        }
        groups = groups();
        agreeing = new double[ids.size()];
        agreeingRight = new double[ids.size()];
        countAgreement();
    }

    private int[][] groups() {
        Map<Object, IntArrayList> members = new LinkedHashMap<>();
        for (int q = 0; q < ids.size(); q++) {
            Object group = Arrays.stream(cells[q])
                    .filter(cell -> cell != null && cell.group() != null)
                    .<Object>map(Prediction::group)
                    .findFirst()
                    .orElse(q);
            members.computeIfAbsent(group, key -> new IntArrayList()).add(q);
        }
        return members.values().stream().map(IntArrayList::toIntArray).toArray(int[][]::new);
    }

    private void countAgreement() {
        double pairs = languages.size() * (languages.size() - 1) / 2.0;
        for (int q = 0; q < ids.size(); q++) {
            int equal = 0;
            int right = 0;
            for (int a = 0; a < languages.size(); a++) {
                for (int b = a + 1; b < languages.size(); b++) {
                    if (agree(q, a, b)) {
                        equal++;
                        right += correct(q, a) && correct(q, b) ? 1 : 0;
                    }
                }
            }
            agreeing[q] = equal / pairs;
            agreeingRight[q] = right / pairs;
        }
    }

    int questions() {
        return ids.size();
    }

    boolean asked(int q, int l) {
        return cells[q][l] != null;
    }

    /** Whether it was asked, and the true label is known. */
    boolean graded(int q, int l) {
        return graded[q][l];
    }

    /** Whether it is graded in some language. */
    boolean graded(int q) {
        return Arrays.stream(cells[q]).anyMatch(cell -> cell != null && cell.answer() != null);
    }

    boolean answered(int q, int l) {
        return cells[q][l] != null && cells[q][l].prediction() != null;
    }

    boolean correct(int q, int l) {
        return correct[q][l];
    }

    /** Both gave the same answer; a missing answer agrees with nothing. */
    boolean agree(int q, int a, int b) {
        return answered(q, a) && answered(q, b) && cells[q][a].prediction().equals(cells[q][b].prediction());
    }

    /** Whether languages have different true labels, so that the options are not parallel. */
    boolean contradictory(int q) {
        String truth = null;
        for (int l = 0; l < languages.size(); l++) {
            if (graded(q, l)) {
                if (truth != null && !truth.equals(cells[q][l].answer())) {
                    return true;
                }
                truth = cells[q][l].answer();
            }
        }
        return false;
    }

    /** Accuracy of one language over the questions drawn; NaN when none of them is graded. */
    double accuracy(int l, int[] drawn) {
        int right = 0;
        int total = 0;
        for (int q : drawn) {
            right += correct(q, l) ? 1 : 0;
            total += graded(q, l) ? 1 : 0;
        }
        return (double) right / total;
    }

    /** Mean over the languages with graded questions; NaN without any. */
    double accuracyMean(int[] drawn) {
        double sum = 0;
        int graded = 0;
        for (int l = 0; l < languages.size(); l++) {
            double accuracy = accuracy(l, drawn);
            if (!Double.isNaN(accuracy)) {
                sum += accuracy;
                graded++;
            }
        }
        return sum / graded;
    }

    /** Mean over questions of the share of language pairs that agree; NaN with one language. */
    double consistency(int[] drawn) {
        return mean(agreeing, drawn);
    }

    /** The part of the consistency that is agreement on the true answer. */
    double consistencyRight(int[] drawn) {
        return mean(agreeingRight, drawn);
    }

    /** The groups without the questions that have no known truth. */
    int[][] gradedGroups() {
        return Arrays.stream(groups)
                .map(group -> Arrays.stream(group).filter(this::graded).toArray())
                .filter(group -> group.length > 0)
                .toArray(int[][]::new);
    }

    /** Of one language's accuracy. */
    Interval accuracyInterval(int l) {
        List<int[]> counts = new ArrayList<>();
        for (int[] group : groups) {
            int right = 0;
            int graded = 0;
            for (int q : group) {
                right += correct(q, l) ? 1 : 0;
                graded += graded(q, l) ? 1 : 0;
            }
            counts.add(new int[] {right, graded});
        }
        return Interval.wilson(counts);
    }

    /** 0 … n-1: the sample itself. */
    int[] all() {
        int[] all = new int[ids.size()];
        Arrays.setAll(all, i -> i);
        return all;
    }

    private static double mean(double[] values, int[] drawn) {
        double sum = 0;
        for (int q : drawn) {
            sum += values[q];
        }
        return sum / drawn.length;
    }
}
