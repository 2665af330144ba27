package org.calm4j.calm.option;

import com.fasterxml.jackson.annotation.JsonAutoDetect;
import com.fasterxml.jackson.annotation.JsonValue;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import java.util.List;
import java.util.Locale;
import picocli.CommandLine.Option;

/** Which responses become preference pairs, and how they are written; on the command line and in a YAML file by the same names. */
@JsonAutoDetect(fieldVisibility = JsonAutoDetect.Visibility.ANY, getterVisibility = JsonAutoDetect.Visibility.NONE)
@JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
public final class PairOptions extends TranslatorOptions {
    /** Which response comes first, where more than one would do. */
    public enum Policy {
        /** The text that was sampled most often; those without an answer last. */
        FREQUENT,
        /** The first that was sampled. */
        FIRST,
        /** A fair draw. */
        RANDOM,
        /** The highest mean log-probability per token; those where it is not known last. */
        LOGPROB,
        SHORTEST,
        LONGEST,
        /** For the rejected: the wrong answer with the most votes; those without an answer last. */
        MOST_VOTED,
        /** For the rejected: the wrong answer with the fewest votes, as in ScPO (Prasad et al. 2024); those without an answer last. */
        LEAST_VOTED;

        @Override
        @JsonValue
        public String toString() {
            return name().toLowerCase(Locale.ROOT).replace('_', '-');
        }
    }

    /** Where a chosen response comes from. */
    public enum Source {
        /** Sampled in the same language. */
        SAMPLED,
        /** Sampled in another language, and translated. */
        TRANSLATED,
        /** A response of the same language in which the text of the option it states is replaced by the voted option's. */
        TEMPLATE,
        /** Nothing but the option's text, as Liu et al. 2026 train on. */
        OPTION;

        @Override
        @JsonValue
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /** How pairs are written. */
    public enum Format {
        /** JSON Lines with where each pair comes from. */
        CALM,
        /** JSON Lines with prompt, chosen and rejected, as TRL's DPOTrainer reads them. */
        TRL,
        /** One JSON list with instruction, input, chosen and rejected, and beside it an entry for dataset_info.json. */
        LLAMA_FACTORY;

        @Override
        @JsonValue
        public String toString() {
            return name().toLowerCase(Locale.ROOT).replace('_', '-');
        }
    }

    @Option(
            names = "--chosen",
            paramLabel = "POLICY",
            description =
                    "Which of the responses that agree with the vote: frequent (default), first, random, logprob, shortest or longest.")
    public Policy chosen = Policy.FREQUENT;

    @Option(
            names = "--rejected",
            paramLabel = "POLICY",
            description =
                    "Which of the others: the same policies, and most-voted or least-voted, by the votes of their answers. Default: frequent.")
    public Policy rejected = Policy.FREQUENT;

    @Option(
            names = {"--pairs-per-question", "--max-pairs-per-question"},
            paramLabel = "N",
            description = "Pairs of a question in a language (or two) at most; default ${DEFAULT-VALUE}.")
    public int pairsPerQuestion = 1;

    @Option(
            names = "--chosen-sources",
            paramLabel = "S,…",
            split = ",",
            description =
                    "Where the chosen response may come from, the first that has one: sampled, translated (with --translator), "
                            + "template (a response of the language with the option's text exchanged), option (the bare text). Default: "
                            + "sampled,translated,template.")
    public List<Source> chosenSources = List.of(Source.SAMPLED, Source.TRANSLATED, Source.TEMPLATE);

    @Option(
            names = "--keep-off-language",
            description =
                    "Keep responses whose answer is plainly in another language; default: they are left out, chosen and rejected alike.")
    public boolean keepOffLanguage;

    @Option(
            names = "--margin-weights",
            description = "Weigh each pair by the votes of its chosen answer less those of its rejected one (ScPO).")
    public boolean marginWeights;

    @Option(
            names = "--two-languages",
            description =
                    "Pairs of languages for dpo --loss-type dco: the same chosen and the same rejected answer in two languages.")
    public boolean twoLanguages;

    @Option(
            names = "--format",
            paramLabel = "calm|trl|llama-factory",
            description = "How pairs are written; default ${DEFAULT-VALUE}.")
    public Format format = Format.CALM;

    /** @throws org.calm4j.engine.CalmException wrong usage: a value out of its range, or options that exclude each other */
    @Override
    public void check() {
        super.check();
        TrainingOptions.check(pairsPerQuestion > 0, "--pairs-per-question must be at least 1");
        TrainingOptions.check(
                chosen != Policy.MOST_VOTED && chosen != Policy.LEAST_VOTED,
                "--chosen " + chosen + " says nothing: all of them agree with the vote");
        TrainingOptions.check(!chosenSources.isEmpty(), "--chosen-sources needs one or more");
        TrainingOptions.check(
                !twoLanguages || format == Format.CALM,
                "--two-languages has the form of dpo --loss-type dco alone; leave out --format");
    }
}
