package org.calm4j.engine.loss;

import com.fasterxml.jackson.annotation.JsonValue;
import java.util.Locale;

/**
 * The divergence between policy and reference that a loss regularizes with: f-DPO (Wang et al. 2024, table 1). A completion's
 * log-ratio {@code r = log π − log π_ref} becomes the score {@code f′(eʳ)}, up to constants, which cancel in margins, as TRL has it.
 *
 * @param alpha of the α-divergence; 1 is reverse KL
 */
public record Divergence(Kind kind, double alpha) {
    public static final double ALPHA = 0.5;
    public static final Divergence REVERSE_KL = new Divergence(Kind.REVERSE_KL, ALPHA);
    /** Beyond it TRL holds exponents of the α-divergence. */
    private static final double LARGEST_EXPONENT = 80;

    /** By their names in TRL's {@code f_divergence_type}. */
    public enum Kind {
        REVERSE_KL,
        FORWARD_KL,
        JS_DIVERGENCE,
        ALPHA_DIVERGENCE;

        @Override
        @JsonValue
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /** {@code r}, {@code −e⁻ʳ}, {@code log σ(r)} or {@code e^((α−1)r) / (α−1)}. */
    double score(double logRatio) {
        return switch (kind) {
            case REVERSE_KL -> logRatio;
            case FORWARD_KL -> -Math.exp(-logRatio);
            case JS_DIVERGENCE -> -PreferenceLoss.softplus(-logRatio);
            case ALPHA_DIVERGENCE ->
                isReverseKl() ? logRatio : Math.exp(Math.min(exponent(logRatio), LARGEST_EXPONENT)) / (alpha - 1);
        };
    }

    /** The derivative of {@link #score}. */
    double slope(double logRatio) {
        return switch (kind) {
            case REVERSE_KL -> 1;
            case FORWARD_KL -> Math.exp(-logRatio);
            case JS_DIVERGENCE -> PreferenceLoss.sigmoid(-logRatio);
            case ALPHA_DIVERGENCE -> {
                if (isReverseKl()) {
                    yield 1;
                }
                double exponent = exponent(logRatio);
                yield exponent > LARGEST_EXPONENT ? 0 : Math.exp(exponent);
            }
        };
    }

    private double exponent(double logRatio) {
        return (alpha - 1) * logRatio;
    }

    /** The limit of the α-divergence at 1. */
    private boolean isReverseKl() {
        return Math.abs(alpha - 1) < 1e-6;
    }
}
