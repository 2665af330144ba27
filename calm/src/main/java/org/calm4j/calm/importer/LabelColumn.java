package org.calm4j.calm.importer;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * All predictions or all answers in one language, and the labels that they mean. If they are numbers for labels, all of them together show
 * whether they count from 0 or from 1.
 */
final class LabelColumn {
    private final List<String> labels = new ArrayList<>();
    private final Map<String, Integer> strange = new LinkedHashMap<>();
    private final Map<String, String> changed = new LinkedHashMap<>();
    /** The number of the first label; null if numbers do not stand for labels, or it is not clear which. */
    private final Integer base;

    private int changes;
    private int least = Integer.MAX_VALUE;
    private int greatest = -1;
    private boolean undecided;

    /**
     * @param values may be null
     * @param questions the labels of the question that each value belongs to
     */
    LabelColumn(List<String> values, List<LabelSet> questions) {
        base = base(values, questions);
        for (int i = 0; i < values.size(); i++) {
            String value = values.get(i);
            String label = value == null || value.isBlank() ? null : label(value.strip(), questions.get(i));
            labels.add(label);
            if (label == null && value != null) {
                strange.merge(value, 1, Integer::sum);
            } else if (label != null && !label.equals(value)) {
                changed.putIfAbsent(value, label);
                changes++;
            }
        }
    }

    private Integer base(List<String> values, List<LabelSet> questions) {
        boolean last = false;
        boolean beyond = false;
        boolean letters = false;
        Integer first = null;
        for (int i = 0; i < values.size(); i++) {
            LabelSet question = questions.get(i);
            Integer number = values.get(i) == null || question.open() ? null : LabelSet.number(values.get(i));
            if (number != null) {
                first = question.firstNumber() == null ? first : question.firstNumber();
                least = Math.min(least, number);
                greatest = Math.max(greatest, number);
                int end = question.known() + (question.firstNumber() == null ? 0 : question.firstNumber());
                last |= number == end;
                beyond |= number > end;
                // Labels that are neither letters nor consecutive numbers, such as 10 and 20, mean only themselves.
                letters |= question.firstNumber() == null
                        && question.all().contains(values.get(i).strip());
            } else {
                letters |= values.get(i) != null
                        && question.firstNumber() == null
                        && question.label(values.get(i)) != null;
            }
        }
        if (greatest < 0 || letters) {
            return null;
        }
        if (first != null) {
            // Numbers for numbers: equal, unless one of the two counts from 0 and the other from 1.
            return first == 1 && least == 0 && !reaches(values, questions)
                    ? Integer.valueOf(0)
                    : first == 0 && least > 0 && last && !beyond ? Integer.valueOf(1) : first;
        }
        Integer decided = least == 0 && !last && !beyond
                ? Integer.valueOf(0)
                : least > 0 && last && !beyond ? Integer.valueOf(1) : null;
        undecided = decided == null;
        return decided;
    }

    /** Whether some number is its question's last label. */
    private static boolean reaches(List<String> values, List<LabelSet> questions) {
        for (int i = 0; i < values.size(); i++) {
            Integer number = values.get(i) == null ? null : LabelSet.number(values.get(i));
            Integer first = questions.get(i).firstNumber();
            if (number != null
                    && first != null
                    && number >= first + questions.get(i).known() - 1) {
                return true;
            }
        }
        return false;
    }

    private String label(String value, LabelSet question) {
        Integer number = question.open() ? null : LabelSet.number(value);
        if (number != null && base != null) {
            int place = number - base;
            return place >= 0 && place < question.all().size() ? question.all().get(place) : null;
        }
        return question.label(value);
    }

    /** The label of each value; null if it is not a label. */
    List<String> labels() {
        return labels;
    }

    /** Values that are not labels, with their counts. */
    Map<String, Integer> strange() {
        return strange;
    }

    /** The number of values read as a label that is written differently. */
    int changes() {
        return changes;
    }

    /** Those values and the labels read. */
    Map<String, String> changed() {
        return changed;
    }

    /** Whether numbers stand for letters and may count from 0 or from 1. */
    boolean isUndecided() {
        return undecided;
    }

    int least() {
        return least;
    }

    int greatest() {
        return greatest;
    }
}
