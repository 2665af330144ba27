package org.calm4j.calm.bench;

/**
 * One thing whose speed is measured.
 *
 * @param params what distinguishes it from others of the same name, such as its shape
 * @param amount the work of one run, in {@code unit}
 * @param unit of {@code amount}, such as tokens
 * @param flops floating-point operations of one run; 0 where they do not limit it
 * @param bytes read from memory at least in one run; 0 where they do not limit it
 * @param gainAtMost how many times as fast as the workload before it this one may be, by the tokens that it spares; 0 where the two are not
 *     compared
 */
record Workload(
        String name,
        String params,
        double amount,
        String unit,
        double flops,
        double bytes,
        double gainAtMost,
        Runnable run) {
    /** Compared with no other. */
    Workload(String name, String params, double amount, String unit, double flops, double bytes, Runnable run) {
        this(name, params, amount, unit, flops, bytes, 0, run);
    }

    Workload comparedWithTheOneBefore(double gainAtMost) {
        return new Workload(name, params, amount, unit, flops, bytes, gainAtMost, run);
    }
}
