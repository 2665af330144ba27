package org.calm4j.engine.op.simd.vec;

import java.util.concurrent.atomic.AtomicLong;

/**
 * The beginning of a process. Code with vectors is a hundred times slower until the second compiler is through with it, which takes more than a second.
 * Whoever has less to do than that goes without vectors ({@link Plain}, to the same bits), and so does everybody for the first multiplications.
 */
public final class ColdStart {
    /** They take some tenths of a second without vectors. */
    private static final long MULTIPLICATIONS = 1L << 27;

    private static final AtomicLong LEFT = new AtomicLong(MULTIPLICATIONS);

    /** Off where the code with vectors is tested. */
    private static volatile boolean over = "false".equals(System.getProperty("calm4j.coldStart"));

    private ColdStart() {}

    static boolean isOver() {
        return over;
    }

    /** Says it, for tests: it stays so. */
    public static void over(boolean isOver) {
        LEFT.set(Long.MAX_VALUE);
        over = isOver;
    }

    /** So many multiplications are done without vectors. */
    static void count(long more) {
        if (LEFT.addAndGet(-more) < 0) {
            over = true;
        }
    }
}
