package org.calm4j.calm.cli;

import java.nio.file.Path;
import org.calm4j.calm.option.SavingOptions;
import org.calm4j.calm.option.TrainingOptions;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code calm pretrain}. */
@Command(
        name = "pretrain",
        sortOptions = false,
        description = "Trains a causal language model on texts, from nothing or from a model.",
        footer = {
            "",
            "Example: calm pretrain --config tiny/config.json --data corpus.jsonl --output base \\",
            "    --learning-rate 1e-3 --lr-scheduler cosine"
        })
final class PretrainCommand extends Training {
    /** One of the two. */
    private static final class Start {
        @Option(
                names = "--config",
                paramLabel = "config.json",
                required = true,
                description = "The shape of a new model; its folder has the tokenizer.")
        private Path config;

        @Option(
                names = {"--model", "--model-name-or-path"},
                paramLabel = "DIR",
                required = true,
                description = "The model to start from.")
        private Path model;
    }

    @ArgGroup(multiplicity = "1")
    private Start start;

    @Mixin
    private final Given<TrainingOptions> options = new Given<>(TrainingOptions.class);

    @Mixin
    private final Given<SavingOptions> saving = new Given<>(SavingOptions.class);

    @Override
    void run() {
        train("pretrain", start.model, start.config, options.get(), null, saving.get());
    }
}
