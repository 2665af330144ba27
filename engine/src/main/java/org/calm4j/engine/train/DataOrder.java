package org.calm4j.engine.train;

import java.util.Arrays;
import org.calm4j.engine.random.CounterRandom;

/** Which lines a step takes: a pure function of the step, so that a resumed run takes the same. */
final class DataOrder {
    private final int lines;
    /** Lines in the order of the file, with those of a group one after another; null where each line stands alone. */
    private final int[] grouped;
    /** Where each group begins in {@link #grouped}, and the number of lines. */
    private final int[] groupStart;

    private final int batchSize;
    private final boolean shuffle;
    private final long seed;
    private int[] order = new int[0];
    private long orderOf = -1;

    DataOrder(int lines, int batchSize, boolean shuffle, long seed) {
        this(lines, null, batchSize, shuffle, seed);
    }

    /** @param groups each line's group, counted from 0, whose lines stay together; null where each stands alone */
    DataOrder(int lines, int[] groups, int batchSize, boolean shuffle, long seed) {
        this.lines = lines;
        groupStart = groups == null ? null : new int[Arrays.stream(groups).max().orElse(-1) + 2];
        grouped = groups == null ? null : grouped(groups);
        this.batchSize = batchSize;
        this.shuffle = shuffle;
        this.seed = seed;
    }

    private int[] grouped(int[] groups) {
        for (int group : groups) {
            groupStart[group + 1]++;
        }
        Arrays.parallelPrefix(groupStart, Integer::sum);
        int[] next = groupStart.clone();
        int[] grouped = new int[lines];
        for (int line = 0; line < lines; line++) {
            grouped[next[groups[line]]++] = line;
        }
        return grouped;
    }

    /** The last batch of an epoch may be short. */
    int stepsPerEpoch() {
        return (lines + batchSize - 1) / batchSize;
    }

    /** Line numbers of one step, counted from 0; no batch crosses the end of an epoch. */
    int[] batch(int step) {
        int epoch = step / stepsPerEpoch();
        int first = step % stepsPerEpoch() * batchSize;
        int[] batch = new int[Math.min(batchSize, lines - first)];
        for (int i = 0; i < batch.length; i++) {
            batch[i] = line(epoch, first + i);
        }
        return batch;
    }

    /** The line at a position of an order that continues across epochs. */
    int at(long position) {
        return line(position / lines, (int) (position % lines));
    }

    private int line(long epoch, int index) {
        if (!shuffle) {
            return grouped == null ? index : grouped[index];
        }
        if (orderOf != epoch) {
            order = grouped == null ? permutation(epoch, lines) : shuffledGroups(epoch);
            orderOf = epoch;
        }
        return order[index];
    }

    private int[] permutation(long epoch, int count) {
        return CounterRandom.permutation(CounterRandom.seed(seed, epoch), count);
    }

    private int[] shuffledGroups(long epoch) {
        int[] shuffled = new int[lines];
        int count = 0;
        for (int group : permutation(epoch, groupStart.length - 1)) {
            int length = groupStart[group + 1] - groupStart[group];
            System.arraycopy(grouped, groupStart[group], shuffled, count, length);
            count += length;
        }
        return shuffled;
    }
}
