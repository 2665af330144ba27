package org.calm4j.calm.stage;

import com.fasterxml.jackson.annotation.JsonValue;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import java.nio.file.Path;
import java.util.Locale;
import org.calm4j.engine.generate.Sampling;

/**
 * How a model is measured.
 *
 * @param samples responses a question; 1 is a greedy one, of more the most frequent answer counts, the first of equally frequent ones
 * @param temperature of sampled responses; 0.7 where it is not given
 * @param maxNewTokens tokens of a response at most; 256 where it is not given, {@link Sampling#FITTING} for as many of them as fit
 * @param passages JSON Lines with id, language and text, of which the best stand before each question; null without
 * @param topPassages how many
 * @param dense whether they are found by the model's hidden states, too, and not by terms alone
 */
@JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
public record EvaluateOptions(Method method, int samples, Double temperature, int maxNewTokens, Path passages, int topPassages,
        boolean dense) {
    private static final int DEFAULT_PASSAGES = 3;
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
        maxNewTokens = maxNewTokens == 0 ? Sampling.DEFAULT_NEW_TOKENS : maxNewTokens;
        topPassages = topPassages == 0 ? DEFAULT_PASSAGES : topPassages;
    }

    public static EvaluateOptions greedy(int maxNewTokens) {
        return new EvaluateOptions(Method.GENERATE, 1, null, maxNewTokens, null, 0, false);
    }

    Sampling sampling(long seed) {
        return samples == 1 ? Sampling.greedy(maxNewTokens) : Sampling.random(maxNewTokens, temperature, samples, seed);
    }
}
