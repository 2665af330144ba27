package org.calm4j.calm.report;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The examples on the page, by what became of the answer, with the number of each kind.
 *
 * @param counts {@code gained} (became right), {@code lost} (became wrong) and {@code other} to how many
 * @param shown at most {@link #MOST_SHOWN} of a kind, in the order given
 * @param voted whether any of them was voted on
 */
record Flips(int total, Map<String, Integer> counts, List<Shown> shown, boolean voted) {
    static final int MOST_SHOWN = 40;

    record Shown(String kind, ReportData.Flip flip) {}

    static Flips of(List<ReportData.Flip> flips) {
        Map<String, Integer> counts = new LinkedHashMap<>();
        List<Shown> shown = new ArrayList<>();
        for (ReportData.Flip flip : flips) {
            String kind = kind(flip);
            if (counts.merge(kind, 1, Integer::sum) <= MOST_SHOWN) {
                shown.add(new Shown(kind, flip));
            }
        }
        return new Flips(flips.size(), counts, shown, flips.stream().anyMatch(flip -> flip.vote() != null));
    }

    private static String kind(ReportData.Flip flip) {
        if (flip.truth() == null
                || flip.truth().equals(flip.before().answer())
                        == flip.truth().equals(flip.after().answer())) {
            return "other";
        }
        return flip.truth().equals(flip.after().answer()) ? "gained" : "lost";
    }
}
