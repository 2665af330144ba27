package org.calm4j.calm.option;

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
 * @param maxNewTokens tokens of a response at most; {@link Sampling#FITTING} where it is not given
 * @param passages JSON Lines with id, language and text, of which the best stand before each question; null without
 * @param topPassages how many
 * @param dense whether they are found by the model's hidden states, too, and not by terms alone
 */
@JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
public record EvaluateOptions(
        Method method,
        Integer samples,
        Double temperature,
        Integer maxNewTokens,
        Path passages,
        Integer topPassages,
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
        samples = samples == null ? 1 : samples;
        temperature = temperature == null ? DEFAULT_TEMPERATURE : temperature;
        maxNewTokens = maxNewTokens == null ? Sampling.FITTING : maxNewTokens;
        topPassages = topPassages == null ? DEFAULT_PASSAGES : topPassages;
        TrainingOptions.check(samples > 0, "samples must be at least 1");
        TrainingOptions.check(temperature >= 0, "temperature must be at least 0");
        TrainingOptions.check(
                maxNewTokens > 0 || maxNewTokens == Sampling.FITTING, "max_new_tokens must be at least 1");
        TrainingOptions.check(topPassages > 0, "top_passages must be at least 1");
    }

    public static EvaluateOptions greedy(int maxNewTokens) {
        return new EvaluateOptions(Method.GENERATE, null, null, maxNewTokens, null, null, false);
    }

    public Sampling sampling(long seed) {
        return samples == 1 ? Sampling.greedy(maxNewTokens) : Sampling.random(maxNewTokens, temperature, samples, seed);
    }
}
