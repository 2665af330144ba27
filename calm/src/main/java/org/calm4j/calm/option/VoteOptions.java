package org.calm4j.calm.option;

import com.fasterxml.jackson.annotation.JsonAutoDetect;
import com.fasterxml.jackson.annotation.JsonValue;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.calm4j.engine.CalmException;
import picocli.CommandLine.Option;

/**
 * How samples become votes; on the command line and in a YAML file by the same names.
 *
 * <p>Rivals of CALM are votes, too: each language for itself (self-consistency), {@code languages: [en]} (English decides for all), the truth
 * (preference training with labels).
 */
@JsonAutoDetect(fieldVisibility = JsonAutoDetect.Visibility.ANY, getterVisibility = JsonAutoDetect.Visibility.NONE)
@JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
public final class VoteOptions {
    /** Who decides. */
    public enum VoteBy {
        /** The samples of all languages together: CALM. */
        ALL,
        /** Each language for itself: self-consistency without crossing. */
        LANGUAGE,
        /** The label of the question: no vote, the truth. */
        TRUTH,
        /** One of the question's labels, drawn by its id: a control, which shows what training gives without a vote. */
        RANDOM;

        @Override
        @JsonValue
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /** What to do where two answers share the first place. */
    public enum Tie {
        /** There is no winner. */
        ABSTAIN,
        /** The question is left out of the votes. */
        SKIP,
        /** The first language whose own most frequent answer is one of them decides. */
        LANGUAGE_ORDER,
        /** The answer whose responses have the higher mean log-probability per token. */
        LOGPROB;

        @Override
        @JsonValue
        public String toString() {
            return name().toLowerCase(Locale.ROOT).replace('_', '-');
        }
    }

    /** What one sample's vote weighs. */
    public enum Weighting {
        /** One. */
        COUNT,
        /** The geometric mean of its tokens' probabilities (Wang et al. 2023, table 1: weighted sum, normalized). */
        PROBABILITY,
        /** What its language's answers have shown to be worth, without labels (Dawid and Skene 1979). */
        DAWID_SKENE;

        @Override
        @JsonValue
        public String toString() {
            return name().toLowerCase(Locale.ROOT).replace('_', '-');
        }
    }

    @Option(
            names = "--vote-by",
            paramLabel = "all|language|truth|random",
            description = "Who decides: the samples of all languages (default), those of each "
                    + "language for itself, the questions' labels, or chance (a control).")
    public VoteBy voteBy = VoteBy.ALL;

    @Option(
            names = "--languages",
            paramLabel = "L,…",
            split = ",",
            description = "Only these languages vote, such as en; default: all.")
    public List<String> languages = List.of();

    @Option(
            names = "--tie",
            paramLabel = "abstain|skip|language-order|logprob",
            description =
                    "Two answers in the first place: no winner (default), the question left out of the votes, what the first of "
                            + "--languages (without it: of the samples) says, or the answer with the higher log-probability per token.")
    public Tie tie = Tie.ABSTAIN;

    @Option(
            names = "--weighting",
            paramLabel = "count|probability|dawid-skene",
            description =
                    "What a sample's vote weighs: one (default), the geometric mean of its tokens' probabilities, or its language's "
                            + "reliability, estimated without labels.")
    public Weighting weighting = Weighting.COUNT;

    @Option(
            names = "--language-weights",
            paramLabel = "L=X",
            split = ",",
            description = "Factors on the votes of languages, such as en=2,fr=1.5; default 1.")
    public Map<String, Double> languageWeights = new LinkedHashMap<>();

    @Option(
            names = "--minimum-agreement",
            paramLabel = "X",
            description = "Share of the votes that a winner needs; with less there is none. Default ${DEFAULT-VALUE}.")
    public double minimumAgreement;

    /** @throws CalmException wrong usage: a value out of its range, or options that exclude each other */
    public void check() {
        TrainingOptions.check(
                minimumAgreement >= 0 && minimumAgreement <= 1, "--minimum-agreement must be from 0 to 1");
        languageWeights.forEach((language, weight) -> TrainingOptions.check(
                weight != null && weight >= 0 && Double.isFinite(weight),
                "--language-weights: the weight of " + language + " must be 0 or more"));
        boolean plain = weighting == Weighting.COUNT && languageWeights.isEmpty();
        TrainingOptions.check(
                voteBy != VoteBy.TRUTH && voteBy != VoteBy.RANDOM || plain,
                "--vote-by " + voteBy + " has no use for weights");
        TrainingOptions.check(
                weighting != Weighting.DAWID_SKENE || languageWeights.isEmpty() && voteBy == VoteBy.ALL,
                "--weighting dawid-skene finds the weights of languages itself; leave out --language-weights and --vote-by");
    }
}
