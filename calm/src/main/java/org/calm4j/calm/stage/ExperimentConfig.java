package org.calm4j.calm.stage;

import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import java.nio.file.Path;
import java.util.List;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.generate.Sampling;

/**
 * One CALM experiment, as a YAML file says it; only model, questions and output must be given.
 *
 * @param title of the report
 * @param model a model folder
 * @param questions that CALM trains on, in all languages; their answers are never looked at
 * @param evaluation questions to measure with; without them the training questions
 * @param heldOut questions about something CALM did not train on
 * @param prompts prompt templates by language; without them those of the model folder or the built-in ones
 * @param sample how responses are sampled
 * @param pairsPerQuestion most pairs of a question in a language
 * @param maxNewTokens of a response that is evaluated
 * @param dpo options of training, named as on the command line with underscores
 * @param baselines of {@code sft} and {@code self-consistency}
 * @param statements lines with {@code language}, {@code prompt} and {@code completion} whose perplexity is compared
 * @param knowledge lines with {@code id}, {@code language} and {@code known}, for a table by what the pretraining texts state
 */
@JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
public record ExperimentConfig(String title, Path model, List<Path> questions, List<Path> evaluation, List<Path> heldOut, Path prompts,
        Path output, long seed, SampleOptions sample, int pairsPerQuestion, int maxNewTokens, PreferenceOptions dpo, List<String> baselines,
        Path statements, Path knowledge) {
    private static final int DEFAULT_NEW_TOKENS = 256;

    /**
     * @param responses K, for each question in each language
     * @param temperature 1 where it is not given
     */
    @JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
    public record SampleOptions(int responses, Double temperature, int topK, double topP, double minP, int maxNewTokens) {
        public static final SampleOptions DEFAULT = new SampleOptions(8, 1.0, 0, 1, 0, DEFAULT_NEW_TOKENS);

        public SampleOptions {
            responses = responses == 0 ? 8 : responses;
            temperature = temperature == null ? 1.0 : temperature;
            topP = topP == 0 ? 1 : topP;
            maxNewTokens = maxNewTokens == 0 ? DEFAULT_NEW_TOKENS : maxNewTokens;
        }

        Sampling sampling(long seed) {
            return new Sampling(maxNewTokens, temperature, topK, topP, minP, responses, false, seed);
        }
    }

    public ExperimentConfig {
        if (model == null || questions == null || questions.isEmpty() || output == null) {
            throw CalmException.usage("an experiment needs model, questions and output");
        }
        title = title == null ? "CALM" : title;
        evaluation = evaluation == null || evaluation.isEmpty() ? questions : evaluation;
        heldOut = heldOut == null ? List.of() : heldOut;
        sample = sample == null ? SampleOptions.DEFAULT : sample;
        pairsPerQuestion = pairsPerQuestion == 0 ? 1 : pairsPerQuestion;
        maxNewTokens = maxNewTokens == 0 ? sample.maxNewTokens() : maxNewTokens;
        dpo = dpo == null ? new PreferenceOptions() : dpo;
        baselines = baselines == null ? List.of() : baselines;
        for (String baseline : baselines) {
            if (!List.of("sft", "self-consistency").contains(baseline)) {
                throw CalmException.usage("unknown baseline \"" + baseline + "\"; known: sft, self-consistency");
            }
        }
    }
}
