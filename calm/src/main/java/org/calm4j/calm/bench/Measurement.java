package org.calm4j.calm.bench;

import java.util.List;

/**
 * The speed of one workload, from the median run.
 *
 * @param perSecond in {@code unit} a second
 * @param spread half the distance of the quartiles, in the same unit
 * @param peakShare of what the machine could compute at most in the same run; null where computing does not limit it
 * @param bandwidthShare of what it could read at most; null where reading does not limit it
 * @param gain how many times as fast as the one before it; null where the two are not compared
 * @param gainAtMost how many times as fast it could be by the tokens that it spares; null where the two are not compared
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
        Double gain,
        Double gainAtMost,
        List<Operation> operations) {
    /** An operation of the backend within one run. */
    public record Operation(String name, double milliseconds, long calls) {}
}
