package org.calm4j.engine.inspect;

/**
 * The gradient noise scale (McCandlish et al. 2018, arXiv 1812.06162, appendix A.1): the batch size at which noise and signal of the gradient
 * are equal, {@code tr(Σ) / |G|²} with Σ the covariance of a line's gradient and G its mean. Both are estimated without bias from the norms of
 * a small and a large batch's gradient; their running means are divided, since the quotient of one step says next to nothing.
 */
public final class GradientNoise {
    private final double decay;
    private double square;
    private double variance;

    /** @param decay of the running means, below 1 */
    public GradientNoise(double decay) {
        this.decay = decay;
    }

    /**
     * Takes a step in.
     *
     * @param small lines in the small batch
     * @param large lines in the large batch, more
     * @param smallSquare {@code ‖g‖²} of the small batch's mean gradient
     */
    public void add(double small, double large, double smallSquare, double largeSquare) {
        square = decay * square + (1 - decay) * square(small, large, smallSquare, largeSquare);
        variance = decay * variance + (1 - decay) * variance(small, large, smallSquare, largeSquare);
    }

    /** An estimate of {@code |G|²}, which may be below 0. */
    public static double square(double small, double large, double smallSquare, double largeSquare) {
        return (large * largeSquare - small * smallSquare) / (large - small);
    }

    /** An estimate of {@code tr(Σ)}, which may be below 0. */
    public static double variance(double small, double large, double smallSquare, double largeSquare) {
        return (smallSquare - largeSquare) / (1 / small - 1 / large);
    }

    /** Lines; null as long as the estimates are not above 0. */
    public Double scale() {
        return square > 0 && variance > 0 ? variance / square : null;
    }

    /** The running means, for {@link #resume}: of the squared norm and of the variance. */
    public double[] state() {
        return new double[] {square, variance};
    }

    public void resume(double square, double variance) {
        this.square = square;
        this.variance = variance;
    }
}
