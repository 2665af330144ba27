package org.calm4j.engine.train;

import org.calm4j.engine.random.CounterRandom;

/** Which lines a step takes: a pure function of the step, so that a resumed run takes the same. */
final class DataOrder {
    private final int lines;
    private final int batchSize;
    private final boolean shuffle;
    private final long seed;
    private int[] order = new int[0];
    private long orderOf = -1;

    DataOrder(int lines, int batchSize, boolean shuffle, long seed) {
        this.lines = lines;
        this.batchSize = batchSize;
        this.shuffle = shuffle;
        this.seed = seed;
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
            return index;
        }
        if (orderOf != epoch) {
            order = CounterRandom.permutation(CounterRandom.seed(seed, epoch), lines);
            orderOf = epoch;
        }
        return order[index];
    }
}
