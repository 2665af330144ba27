package org.calm4j.calm.stage;

import com.fasterxml.jackson.annotation.JsonValue;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import java.util.Locale;
import org.calm4j.engine.generate.Sampling;

/**
 * How a model is measured.
 *
 * @param samples responses a question; 1 is a greedy one, of more the most frequent answer counts, the first of equally frequent ones
 * @param temperature of sampled responses; 0.7 where it is not given
 * @param maxNewTokens tokens of a response at most
 */
@JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
public record EvaluateOptions(Method method, int samples, Double temperature, int maxNewTokens) {
    private static final int DEFAULT_NEW_TOKENS = 256;
    private static final double DEFAULT_TEMPERATURE = 0.7;

    /** How a model answers. */
    public enum Method {
        /** By a response, and the answer that it states. */
        GENERATE,
        /** By the choice whose text is most probable. */
        RANK;

        @Override
        @JsonValue
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    public EvaluateOptions {
        method = method == null ? Method.GENERATE : method;
        samples = samples == 0 ? 1 : samples;
        temperature = temperature == null ? DEFAULT_TEMPERATURE : temperature;
        maxNewTokens = maxNewTokens == 0 ? DEFAULT_NEW_TOKENS : maxNewTokens;
    }

    public static EvaluateOptions greedy(int maxNewTokens) {
        return new EvaluateOptions(Method.GENERATE, 1, null, maxNewTokens);
    }

    Sampling sampling(long seed) {
        return samples == 1 ? Sampling.greedy(maxNewTokens) : Sampling.random(maxNewTokens, temperature, samples, seed);
    }
}
