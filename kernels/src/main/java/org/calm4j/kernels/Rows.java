package org.calm4j.kernels;

import org.calm4j.kernels.driver.Kernel;
import org.calm4j.kernels.driver.Launch;

/** How kernels that give a block to each row, a thread to each column, or four elements to each thread, cut their work. */
final class Rows {
    /** Rows that one block adds up for the gradient of a weight. */
    static final int CHUNK = 256;
    /** Threads with one column each. */
    static final int COLUMNS = 64;

    /** Threads with four elements each. */
    private static final int FOURS = 128;

    private static final int MOST_THREADS = 1024;

    private Rows() {}

    /** Threads for a row of {@code c} elements, four each: whole warps. */
    static int block(long c) {
        return (int) Math.min(MOST_THREADS, 32 * Math.ceilDiv(Math.max(c, 1), 4 * 32));
    }

    static long chunks(long rows) {
        return Math.ceilDiv(rows, CHUNK);
    }

    static Launch fours(Kernel kernel, long size) {
        return kernel.launch(Math.ceilDiv(size, 4L * FOURS), FOURS);
    }
}
