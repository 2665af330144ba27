package org.calm4j.engine.op.simd;

import org.calm4j.engine.tensor.HostBuffer;

/**
 * The first seconds of a process. Code with vectors is a hundred times slower until the second compiler is through with it, and that begins when the
 * code has run often enough. So products begin without vectors ({@link Plain}, which has the same bits), and where there is more to do, a
 * thread of its own runs what they need on memory of its own until it is fast.
 */
final class ColdStart {
    /** Off where the code with vectors is tested. */
    private static final boolean ENABLED = !"false".equals(System.getProperty("calm4j.coldStart"));
    /** After so many multiplications there is more to do; so many take less time than the compiler does. */
    private static final long FEW = 1L << 26;
    private static final int STEPS = 48;
    /** Compiled, a round takes a nanosecond or two a step. */
    private static final long FAST_NANOS = 100L * STEPS;
    /** A machine that is slower goes on with vectors all the same. */
    private static final long LONGEST_NANOS = 5_000_000_000L;

    private static volatile boolean over = !ENABLED;
    private static long multiplications;
    private static boolean begun;

    private ColdStart() {
    }

    /** Whether vectors are fast. */
    static boolean isOver() {
        return over;
    }

    /** Says it, for tests. */
    static void over(boolean isOver) {
        over = isOver;
    }

    /** So many multiplications were done without vectors. */
    static void count(long more) {
        if (!over && ENABLED) {
            begin(more);
        }
    }

    private static synchronized void begin(long more) {
        multiplications += more;
        if (multiplications > FEW && !begun) {
            begun = true;
            Thread.ofPlatform().daemon().name("calm4j-cold-start").start(ColdStart::compile);
        }
    }

    private static void compile() {
        long panel = 4L * STEPS * Product.NR;
        try (HostBuffer memory = new HostBuffer(3 * panel)) {
            long a = memory.segment().address();
            long begin = System.nanoTime();
            long last;
            do {
                last = System.nanoTime();
                Product.round(a, a + panel, a + 2 * panel, STEPS);
            } while (System.nanoTime() - last > FAST_NANOS && last - begin < LONGEST_NANOS);
        } finally {
            over = true;
        }
    }
}
