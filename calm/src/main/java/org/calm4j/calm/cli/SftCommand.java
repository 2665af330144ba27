package org.calm4j.calm.cli;

import java.nio.file.Path;
import org.calm4j.calm.option.SavingOptions;
import org.calm4j.calm.option.TrainingOptions;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code calm sft}. */
@Command(
        name = "sft",
        sortOptions = false,
        customSynopsis = "calm sft --model=DIR --data=FILE... --output=DIR [OPTION...]",
        description = "Trains a model on prompts and completions by cross-entropy.",
        footer = {"", "Example: calm sft --model base --data completions.jsonl --output tuned --epochs 2"})
final class SftCommand extends TrainingCommand {
    @Option(
            names = Recipe.FLAG,
            paramLabel = "FILE",
            description =
                    "A YAML recipe of LLaMA-Factory or TRL, or with these options' names; options given beside it win. Their flags are taken, too.")
    private Path recipe;

    @Option(
            names = {"--model", "--model-name-or-path"},
            paramLabel = "DIR",
            required = true,
            description = "The model to start from.")
    private Path model;

    @Mixin
    private final Given<TrainingOptions> options = new Given<>(TrainingOptions.class);

    @Mixin
    private final Given<SavingOptions> saving = new Given<>(SavingOptions.class);

    @Override
    void train() {
        train("sft", model, null, options.get(), null, saving.get());
    }
}
