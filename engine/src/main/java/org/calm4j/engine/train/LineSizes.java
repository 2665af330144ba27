package org.calm4j.engine.train;

import it.unimi.dsi.fastutil.ints.IntArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * What lines need, found by taking each of them once.
 *
 * @param rows of each line
 * @param scored of the line that scores most
 * @param longest tokens of the longest sequence
 * @param pairs of the line that has most
 * @param weighted whether a line has a weight other than 1
 */
record LineSizes(IntArrayList rows, int scored, int longest, int pairs, boolean weighted) {
    static LineSizes of(List<? extends Example> lines) {
        IntArrayList rows = new IntArrayList(lines.size());
        int scored = 0;
        int longest = 0;
        int pairs = 0;
        boolean weighted = false;
        for (Example line : lines) {
            rows.add(line.rows());
            scored = Math.max(scored, line.scored());
            longest = Math.max(longest, line.longest());
            pairs = Math.max(pairs, line.preferences().size());
            weighted |= line.weight() != 1;
        }
        return new LineSizes(rows, scored, longest, pairs, weighted);
    }

    /** Of both, the pairs of the first alone. */
    LineSizes with(LineSizes others) {
        IntArrayList all = new IntArrayList(rows);
        all.addAll(others.rows);
        return new LineSizes(all, Math.max(scored, others.scored), Math.max(longest, others.longest), pairs, weighted);
    }

    int mostRows() {
        return rows.intStream().max().orElse(0);
    }

    int sumOfLargest(int count) {
        int[] sorted = rows.toIntArray();
        Arrays.sort(sorted);
        return IntStream.range(Math.max(0, sorted.length - count), sorted.length)
                .map(i -> sorted[i])
                .sum();
    }
}
