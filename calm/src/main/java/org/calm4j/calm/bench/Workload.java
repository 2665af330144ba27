package org.calm4j.calm.bench;

/**
 * One thing whose speed is measured.
 *
 * @param params what distinguishes it from others of the same name, such as its shape
 * @param amount the work of one run, in {@code unit}
 * @param unit of {@code amount}, such as tokens
 * @param flops floating-point operations of one run; 0 where they do not limit it
 * @param bytes read from memory at least in one run; 0 where they do not limit it
 * @param spared how it is faster than doing the same in another way; null where the two are not compared
 */
record Workload(
        String name,
        String params,
        double amount,
        String unit,
        double flops,
        double bytes,
        Spared spared,
        Runnable run) {
    /**
     * The same work without what spares some of it.
     *
     * @param byTokens how many times as fast the workload would be by the tokens that it spares
     * @param byArithmetic the same by the operations
     */
    record Spared(Runnable whole, double byTokens, double byArithmetic) {}

    /** Compared with nothing. */
    Workload(String name, String params, double amount, String unit, double flops, double bytes, Runnable run) {
        this(name, params, amount, unit, flops, bytes, null, run);
    }

    Workload with(Spared spared) {
        return new Workload(name, params, amount, unit, flops, bytes, spared, run);
    }
}
