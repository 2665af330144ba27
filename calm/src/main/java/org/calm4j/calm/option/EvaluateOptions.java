package org.calm4j.calm.option;

import com.fasterxml.jackson.annotation.JsonValue;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import org.calm4j.engine.Setting;
import org.calm4j.engine.generate.Sampling;

/** How a model is measured. */
@OptionRecord
public record EvaluateOptions(
        @Option(
                value =
                        "The answer that a response states, or the choice with the most probable text (default: ${DEFAULT-VALUE}).",
                standard = "generate")
        Method method,

        @Option(
                value = "Responses per question: 1 (default) is greedy; with more, the most frequent answer counts.",
                label = "K",
                standard = "1")
        int samples,

        @Option(value = "Temperature of sampled responses (default: ${DEFAULT-VALUE}).", label = "T", standard = "0.7")
        double temperature,

        @Option(
                value = "Maximum tokens of a response (default: 256, or what the model's positions leave).",
                label = "N",
                standard = EndOptions.FITTING)
        int maxNewTokens,

        @Option(
                value = "Retrieval: lines with id, language and text; the best ones are put before each question.",
                label = "FILE")
        Path passages,

        @Option(value = "Number of passages per question (default: ${DEFAULT-VALUE}).", label = "K", standard = "3")
        int topPassages,

        @Option("Find passages by the model's hidden states, too, not by terms (BM25) alone.")
        boolean dense) {
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
        Setting.of("samples").check(samples > 0, "must be at least 1");
        Sampling.random(maxNewTokens, temperature, samples, 0);
        Setting.of("top_passages").check(topPassages > 0, "must be at least 1");
    }

    public static EvaluateOptions greedy(int maxNewTokens) {
        return Options.make(EvaluateOptions.class, Map.of("max_new_tokens", maxNewTokens));
    }

    public Sampling sampling(long seed) {
        return samples == 1 ? Sampling.greedy(maxNewTokens) : Sampling.random(maxNewTokens, temperature, samples, seed);
    }
}
