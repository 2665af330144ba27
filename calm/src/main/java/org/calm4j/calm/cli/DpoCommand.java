package org.calm4j.calm.cli;

import java.nio.file.Path;
import org.calm4j.calm.option.DpoOptions;
import org.calm4j.calm.option.SavingOptions;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code calm dpo}. */
@Command(
        name = "dpo",
        sortOptions = false,
        customSynopsis = "calm dpo --model=DIR --data=FILE... --output=DIR [OPTION...]",
        description = "Trains a model on preference pairs by direct preference optimization.",
        footer = {
            "",
            "Example: calm dpo --model base --data pairs.jsonl --output aligned \\",
            "    --lora-rank 16 --learning-rate 1e-4"
        })
final class DpoCommand extends TrainingCommand {
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
    private final Given<DpoOptions> options = new Given<>(DpoOptions.class);

    @Mixin
    private final Given<SavingOptions> saving = new Given<>(SavingOptions.class);

    @Override
    void train() {
        DpoOptions given = options.get();
        train("dpo", model, null, given.training(), given.preference(), saving.get());
    }
}
