package org.calm4j.calm.bench;

import java.util.List;

/**
 * The speed of one workload, from the median run.
 *
 * @param perSecond in {@code unit} a second
 * @param spread half the distance of the quartiles, in the same unit
 * @param peakShare of what the machine could compute at most in the same run; null where computing does not limit it
 * @param bandwidthShare of what it could read at most; null where reading does not limit it
 * @param gain over the same work without what spares some of it; null where there is none
 * @param operations where the time went, the longest first; null if not requested
 */
public record Measurement(
        String benchmark,
        String params,
        int threads,
        int runs,
        double perSecond,
        double spread,
        String unit,
        Double peakShare,
        Double bandwidthShare,
        Gain gain,
        List<Operation> operations) {
    /** An operation of the backend within one run. */
    public record Operation(String name, double milliseconds, long calls) {}

    /**
     * How many times as fast, from runs of both in turn, so that others on the machine disturb both.
     *
     * @param spread half the distance of the quartiles
     * @param byTokens what it would be by the tokens that are spared
     * @param byArithmetic what it would be by the operations that are spared
     */
    public record Gain(double times, double spread, double byTokens, double byArithmetic) {}
}
