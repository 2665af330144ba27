package org.calm4j.engine.op.simd;

/**
 * The beginning of a process. Code with vectors is a hundred times slower until the second compiler is through with it, which takes more than a second.
 * Whoever has less to do than that goes without vectors ({@link Plain}, to the same bits), and so does everybody for the first multiplications.
 */
final class ColdStart {
    /** They take some tenths of a second without vectors. */
    private static final long MULTIPLICATIONS = 1L << 27;

    /** Off where the code with vectors is tested. */
    private static volatile boolean over = "false".equals(System.getProperty("calm4j.coldStart"));
    private static long done;

    private ColdStart() {
    }

    static boolean isOver() {
        return over;
    }

    /** Says it, for tests. */
    static void over(boolean isOver) {
        over = isOver;
    }

    /** So many multiplications are done without vectors. */
    static void count(long more) {
        if (!over) {
            add(more);
        }
    }

    private static synchronized void add(long more) {
        done += more;
        over = done > MULTIPLICATIONS;
    }
}
