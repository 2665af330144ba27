package org.calm4j.engine.train.optim;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonValue;
import java.util.Locale;

/**
 * The learning rate over the steps, by the formulas of transformers' {@code optimization.py}: linear from 0 over the warm-up, then as its
 * kind says.
 *
 * @param minimumRate where linear, cosine, its cycles, polynomial and the decay of warmup_stable_decay end, as a share of the peak
 * @param power of polynomial
 * @param decaySteps the last steps, in which warmup_stable_decay falls
 * @param decay how it falls
 * @param cycles of cosine_with_restarts; 0 of others
 */
public record Schedule(
        Kind kind,
        double peak,
        double minimumRate,
        double power,
        int warmupSteps,
        int decaySteps,
        Decay decay,
        int totalSteps,
        @JsonInclude(JsonInclude.Include.NON_DEFAULT) int cycles) {
    /** The time scale of inverse_sqrt without a warm-up. */
    private static final int TIMESCALE = 10_000;

    public enum Kind {
        CONSTANT,
        LINEAR,
        COSINE,
        /** The same as constant, which has a warm-up here if one is given. */
        CONSTANT_WITH_WARMUP,
        /** The same as cosine; a minimum has to be given. */
        COSINE_WITH_MIN_LR,
        /** Loshchilov &amp; Hutter 2017, equation 5, with restarts after equal times. */
        COSINE_WITH_RESTARTS,
        /** Hu et al. 2024 (MiniCPM), section 4. */
        WARMUP_STABLE_DECAY,
        POLYNOMIAL,
        /** Vaswani et al. 2017, equation 3, with the peak at the end of the warm-up. */
        INVERSE_SQRT;

        @Override
        @JsonValue
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /** Shapes of the fall from 1 to 0. */
    public enum Decay {
        LINEAR,
        COSINE,
        /** Hägele et al. 2024, equation 1. */
        ONE_MINUS_SQRT;

        @Override
        @JsonValue
        public String toString() {
            return this == ONE_MINUS_SQRT ? "1-sqrt" : name().toLowerCase(Locale.ROOT);
        }

        /** @param progress from 0 to 1 */
        double at(double progress) {
            return switch (this) {
                case LINEAR -> 1 - progress;
                case COSINE -> 0.5 * (1 + Math.cos(Math.PI * progress));
                case ONE_MINUS_SQRT -> 1 - Math.sqrt(progress);
            };
        }
    }

    /** A constant, linear or cosine schedule. */
    public Schedule(Kind kind, double peak, double minimumRate, int warmupSteps, int totalSteps) {
        this(kind, peak, minimumRate, 1, warmupSteps, 0, Decay.COSINE, totalSteps, 0);
    }

    /** The same shape with another peak. */
    public Schedule withPeak(double other) {
        return new Schedule(kind, other, minimumRate, power, warmupSteps, decaySteps, decay, totalSteps, cycles);
    }

    /** @param step counted from 0 */
    public double learningRate(int step) {
        if (step < warmupSteps) {
            return kind == Kind.WARMUP_STABLE_DECAY
                    ? peak * above((double) step / warmupSteps)
                    : peak * step / warmupSteps;
        }
        double progress = Math.min(1, (double) (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps));
        return peak
                * switch (kind) {
                    case CONSTANT, CONSTANT_WITH_WARMUP -> 1;
                    case LINEAR -> above(Decay.LINEAR.at(progress));
                    case COSINE, COSINE_WITH_MIN_LR -> above(Decay.COSINE.at(progress));
                    case COSINE_WITH_RESTARTS -> above(progress < 1 ? Decay.COSINE.at(cycles * progress % 1) : 0);
                    case POLYNOMIAL -> above(Math.pow(1 - progress, power));
                    case WARMUP_STABLE_DECAY -> above(decay.at(decayed(step)));
                    case INVERSE_SQRT -> inverseRoot(step);
                };
    }

    private double above(double shape) {
        return minimumRate + (1 - minimumRate) * shape;
    }

    private double decayed(int step) {
        int before = Math.max(warmupSteps, totalSteps - decaySteps);
        return step < before ? 0 : Math.min(1, (double) (step - before) / Math.max(1, decaySteps));
    }

    private double inverseRoot(int step) {
        int scale = warmupSteps > 0 ? warmupSteps : TIMESCALE;
        return 1 / Math.sqrt((double) (step + scale - warmupSteps) / scale);
    }
}
