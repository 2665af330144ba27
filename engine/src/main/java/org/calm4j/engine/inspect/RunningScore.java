package org.calm4j.engine.inspect;

/**
 * How many standard deviations a value is from those before it, by running mean and variance (West 1979, with exponentially fading weights).
 * Values that are not finite are left out.
 */
public final class RunningScore {
    private final double weight;
    private final int warmup;
    private long count;
    private double mean;
    private double variance;

    /**
     * @param weight of a new value, above 0 and below 1; of about {@code 2 / weight} values something is left
     * @param warmup values before the first score
     */
    public RunningScore(double weight, int warmup) {
        this.weight = weight;
        this.warmup = warmup;
    }

    /** The score of a value against those before it, 0 during warm-up and where they are all equal; then takes it in. */
    public double next(double value) {
        if (!Double.isFinite(value)) {
            return 0;
        }
        double difference = value - mean;
        double score = count < warmup || !(variance > 0) ? 0 : difference / Math.sqrt(variance);
        // Plain means at first.
        double share = Math.max(weight, 1.0 / (count + 1));
        mean += share * difference;
        variance = (1 - share) * (variance + share * difference * difference);
        count++;
        return score;
    }

    /** For {@link #resume}: how many values, their mean and variance. */
    public double[] state() {
        return new double[] {count, mean, variance};
    }

    public void resume(double count, double mean, double variance) {
        this.count = (long) count;
        this.mean = mean;
        this.variance = variance;
    }
}
