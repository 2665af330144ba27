package org.calm4j.calm.option;

import com.fasterxml.jackson.annotation.JsonValue;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.calm4j.engine.Setting;

/**
 * How samples become votes; on the command line and in a YAML file by the same names.
 *
 * <p>Rivals of CALM are votes, too: each language for itself (self-consistency), {@code languages: [en]} (English decides for all), the truth
 * (preference training with labels).
 */
@OptionRecord
public record VoteOptions(
        @Option(
                value =
                        "What decides: the samples of all languages (default), those of each language for itself, the questions' "
                                + "labels, or chance (a control).",
                standard = "all")
        VoteBy voteBy,

        @Option(value = "Only these languages vote, such as en; default: all.", label = "L,…", standard = "")
        List<String> languages,

        @Option(
                value =
                        "Two answers in first place: no winner (default), the question left out of the votes, what the first of "
                                + "{languages} (without it: of the samples) says, or the answer with the higher log-probability per token.",
                standard = "abstain")
        Tie tie,

        @Option(
                value =
                        "Weight of a sample's vote: one (default), the geometric mean of its tokens' probabilities, or its "
                                + "language's reliability, estimated without labels.",
                standard = "count")
        Weighting weighting,

        @Option(
                value = "Factors on the votes of languages, such as en=2,fr=1.5; default 1.",
                label = "L=X,…",
                standard = "")
        Map<String, Double> languageWeights,

        @Option(
                value =
                        "Share of the votes that a winner needs; with less there is no winner. Default ${DEFAULT-VALUE}.",
                label = "X",
                standard = "0.0")
        double minimumAgreement) {
    /** What decides. */
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

    /** The weight of one sample's vote. */
    public enum Weighting {
        /** One. */
        COUNT,
        /** The geometric mean of its tokens' probabilities (Wang et al. 2023, table 1: weighted sum, normalized). */
        PROBABILITY,
        /** The reliability of its language's answers, estimated without labels (Dawid and Skene 1979). */
        DAWID_SKENE;

        @Override
        @JsonValue
        public String toString() {
            return name().toLowerCase(Locale.ROOT).replace('_', '-');
        }
    }

    public VoteOptions {
        languages = List.copyOf(languages);
        languageWeights = Collections.unmodifiableMap(new LinkedHashMap<>(languageWeights));
        Setting.of("minimum_agreement").check(minimumAgreement >= 0 && minimumAgreement <= 1, "must be from 0 to 1");
        languageWeights.forEach((language, weight) -> Setting.of("language_weights")
                .check(
                        weight != null && weight >= 0 && Double.isFinite(weight),
                        "must be 0 or more, for " + language + " too"));
        boolean plain = weighting == Weighting.COUNT && languageWeights.isEmpty();
        Setting.of("vote_by")
                .at(voteBy)
                .check(voteBy != VoteBy.TRUTH && voteBy != VoteBy.RANDOM || plain, "has no use for weights");
        Setting.of("weighting")
                .at(weighting)
                .check(
                        weighting != Weighting.DAWID_SKENE || languageWeights.isEmpty() && voteBy == VoteBy.ALL,
                        "finds the weights of languages itself; leave out ",
                        Setting.of("language_weights"),
                        " and ",
                        Setting.of("vote_by"));
    }
}
