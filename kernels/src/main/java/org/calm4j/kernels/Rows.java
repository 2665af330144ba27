package org.calm4j.kernels;

/** How kernels that give a block to each row, or a thread to each column, cut their work. */
final class Rows {
    /** Rows that one block adds up for the gradient of a weight. */
    static final int CHUNK = 256;
    /** Threads that take a column each. */
    static final int COLUMNS = 64;

    private static final int MOST_THREADS = 1024;

    private Rows() {}

    /** Threads for a row of {@code c} elements, four each: whole warps. */
    static int block(long c) {
        return (int) Math.min(MOST_THREADS, 32 * Math.ceilDiv(Math.max(c, 1), 4 * 32));
    }

    static long chunks(long rows) {
        return Math.ceilDiv(rows, CHUNK);
    }
}
