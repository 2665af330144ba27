package org.calm4j.calm.option;

import com.fasterxml.jackson.annotation.JsonValue;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import org.calm4j.engine.Setting;

/** Which responses become preference pairs, and how they are written; on the command line and in a YAML file by the same names. */
@OptionRecord
public record PairOptions(
        TranslatorOptions translation,

        @Option(
                value =
                        "Which of the responses that agree with the vote is chosen: frequent (default), first, random, logprob, shortest or longest.",
                label = "POLICY",
                standard = "frequent")
        Policy chosen,

        @Option(
                value =
                        "Which of the others is rejected: the same policies, and most-voted or least-voted, by the votes of their answers. "
                                + "Default: frequent.",
                label = "POLICY",
                standard = "frequent")
        Policy rejected,

        @Option(
                value = "Maximum pairs per question in a language (or two); default ${DEFAULT-VALUE}.",
                label = "N",
                standard = "1",
                also = "max_pairs_per_question")
        int pairsPerQuestion,

        @Option(
                value =
                        "Sources of the chosen response, of which the first that has one is used: sampled, translated (with {translator}), "
                                + "template (a response of the language with the option's text exchanged), option (the bare text). Default: "
                                + "${DEFAULT-VALUE}.",
                label = "S,…",
                standard = "sampled,translated,template")
        List<Source> chosenSources,

        @Option(
                "Keep responses whose answer is clearly in another language; default: they are left out, chosen and rejected alike.")
        boolean keepOffLanguage,

        @Option("Weigh each pair by the votes of its chosen answer less those of its rejected one (ScPO).")
        boolean marginWeights,

        @Option(
                "Pairs of languages for dpo {loss_type} dco: the same chosen and the same rejected answer in two languages.")
        boolean twoLanguages,

        @Option(value = "How pairs are written; default ${DEFAULT-VALUE}.", standard = "calm")
        Format format) {
    /** Which response comes first, if several qualify. */
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

    /** The source of a chosen response. */
    public enum Source {
        /** Sampled in the same language. */
        SAMPLED,
        /** Sampled in another language, and translated. */
        TRANSLATED,
        /** A response of the same language, with the text of its option replaced by the voted option's. */
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

    public PairOptions {
        chosenSources = List.copyOf(chosenSources);
        Setting.of("pairs_per_question").check(pairsPerQuestion > 0, "must be at least 1");
        Setting.of("chosen")
                .at(chosen)
                .check(
                        chosen != Policy.MOST_VOTED && chosen != Policy.LEAST_VOTED,
                        "has no meaning: all of them agree with the vote");
        Setting.of("chosen_sources").check(!chosenSources.isEmpty(), "needs one or more");
        Setting.of("two_languages")
                .check(
                        !twoLanguages || format == Format.CALM,
                        "has the form of dpo ",
                        Setting.of("loss_type").at("dco"),
                        " alone; leave out ",
                        Setting.of("format"));
    }

    /** The same, with this file for translations unless another one is given. */
    public PairOptions keptIn(Path file) {
        return new PairOptions(
                translation.keptIn(file),
                chosen,
                rejected,
                pairsPerQuestion,
                chosenSources,
                keepOffLanguage,
                marginWeights,
                twoLanguages,
                format);
    }
}
