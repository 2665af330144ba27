package org.calm4j.engine.train;

import com.fasterxml.jackson.annotation.JsonValue;
import java.util.Locale;

/**
 * The learning rate over the steps, as in transformers: linear from 0 over the warm-up, then constant, linear to the end or cosine to the
 * end.
 *
 * @param minimumRate where linear and cosine end, as a share of the peak
 */
public record Schedule(Kind kind, double peak, double minimumRate, int warmupSteps, int totalSteps) {
    public enum Kind {
        CONSTANT,
        LINEAR,
        COSINE;

        @Override
        @JsonValue
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /** @param step counted from 0 */
    public double learningRate(int step) {
        if (step < warmupSteps) {
            return peak * step / warmupSteps;
        }
        double progress = Math.min(1, (double) (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps));
        double shape =
                switch (kind) {
                    case CONSTANT -> 1;
                    case LINEAR -> 1 - progress;
                    case COSINE -> 0.5 * (1 + Math.cos(Math.PI * progress));
                };
        return peak * (kind == Kind.CONSTANT ? 1 : minimumRate + (1 - minimumRate) * shape);
    }
}
