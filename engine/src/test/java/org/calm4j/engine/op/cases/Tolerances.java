package org.calm4j.engine.op.cases;

/**
 * How far a backend may be off the scalar definition, as a share of a tensor's largest magnitude, or of what its terms would typically add up to,
 * where that is larger.
 *
 * @param rounding without long sums
 * @param chain sums over hundreds of rows; a backend that makes them in one chain of F32 says what that costs
 * @param product of matrices, and attention; a backend that rounds their operands says what that costs
 */
public record Tolerances(double rounding, double chain, double product) {
    /** Sums of hundreds of rounded products; one F32 chain of 300 alone reaches 7e-7. */
    public static final double SUM = 1e-6;
    /** Two to three roundings of F32, 6e-8 each. */
    public static final Tolerances F32 = new Tolerances(2e-7, SUM, SUM);
}
