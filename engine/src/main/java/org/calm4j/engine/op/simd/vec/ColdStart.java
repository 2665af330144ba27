package org.calm4j.engine.op.simd.vec;

import java.util.concurrent.atomic.AtomicLong;

/**
 * The beginning of a process. Vector code is a hundred times slower until the second compiler has compiled it, which takes more than a second.
 * Short runs use no vectors ({@link Plain}, to the same bits), nor do the first multiplications of any run.
 */
public final class ColdStart {
    /** Multiplications without vectors: some tenths of a second. */
    private static final long MULTIPLICATIONS = 1L << 27;

    private static final AtomicLong LEFT = new AtomicLong(MULTIPLICATIONS);

    /** Off in tests of the vector code. */
    private static volatile boolean over = "false".equals(System.getProperty("calm4j.coldStart"));

    private ColdStart() {}

    static boolean isOver() {
        return over;
    }

    /** For tests: fixes the state. */
    public static void over(boolean isOver) {
        LEFT.set(Long.MAX_VALUE);
        over = isOver;
    }

    /** Counts multiplications done without vectors. */
    static void count(long more) {
        if (LEFT.addAndGet(-more) < 0) {
            over = true;
        }
    }
}
