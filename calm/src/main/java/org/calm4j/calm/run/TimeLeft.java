package org.calm4j.calm.run;

import it.unimi.dsi.fastutil.longs.LongArrayList;
import java.util.OptionalLong;

/**
 * How long the remaining parts will take, from the speed in the later half of the time so far: the first parts wait for the
 * compiler and for files, and predict little about the others.
 */
public final class TimeLeft {
    /** The most parts that are remembered; beyond, every second one is forgotten. */
    private static final int MOST_PARTS = 256;

    private static final int FEWEST_PARTS = 3;

    private final LongArrayList times = new LongArrayList();
    private final LongArrayList parts = new LongArrayList();
    private long spacing = 1;
    private long now;
    private long done;

    /** @param done parts that are done; ignored unless it has grown */
    public void at(long nanoTime, long done) {
        if (times.isEmpty() || done - parts.getLong(parts.size() - 1) >= spacing) {
            times.add(nanoTime);
            parts.add(done);
        }
        if (times.size() > MOST_PARTS) {
            for (int i = 0; 2 * i < times.size(); i++) {
                times.set(i, times.getLong(2 * i));
                parts.set(i, parts.getLong(2 * i));
            }
            times.size((times.size() + 1) / 2);
            parts.size(times.size());
            spacing *= 2;
        }
        now = nanoTime;
        this.done = done;
    }

    /** Nanoseconds for the rest of {@code total}; empty while too few parts are done. */
    public OptionalLong of(long total) {
        if (times.size() < FEWEST_PARTS || done <= parts.getLong(0)) {
            return OptionalLong.empty();
        }
        long middle = times.getLong(0) + (now - times.getLong(0)) / 2;
        int from = 0;
        while (from + 1 < times.size() && times.getLong(from + 1) <= middle && parts.getLong(from + 1) < done) {
            from++;
        }
        double each = (double) (now - times.getLong(from)) / (done - parts.getLong(from));
        return OptionalLong.of((long) (each * Math.max(0, total - done)));
    }
}
