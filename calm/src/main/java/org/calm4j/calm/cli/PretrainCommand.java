package org.calm4j.calm.cli;

import java.nio.file.Path;
import org.calm4j.calm.option.SavingOptions;
import org.calm4j.calm.option.TrainingOptions;
import org.calm4j.engine.CalmException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code calm pretrain}. */
@Command(
        name = "pretrain",
        sortOptions = false,
        customSynopsis = "calm pretrain (--config=FILE | --model=DIR) --data=FILE... --output=DIR [OPTION...]",
        description = "Trains a causal language model on texts, from nothing or from a model.",
        footer = {
            "",
            "Example: calm pretrain --config tiny/config.json --data corpus.jsonl --output base \\",
            "    --learning-rate 1e-3 --lr-scheduler cosine",
            "Example: calm pretrain --config tiny/config.json --data corpus.jsonl --output base \\",
            "    --optimizer muon --learning-rate 2e-3 --adamw-learning-rate 1e-3 --weight-decay 0.1"
        })
final class PretrainCommand extends TrainingCommand {
    @Option(
            names = "--config",
            paramLabel = "FILE",
            description =
                    "config.json with the shape of a new model; the tokenizer is in the same folder. Or a YAML recipe, as for dpo.")
    private Path config;

    @Option(
            names = {"--model", "--model-name-or-path"},
            paramLabel = "DIR",
            description = "The model to start from, instead of a new one.")
    private Path model;

    @Mixin
    private final Given<TrainingOptions> options = new Given<>(TrainingOptions.class);

    @Mixin
    private final Given<SavingOptions> saving = new Given<>(SavingOptions.class);

    @Override
    void train() {
        if ((config == null) == (model == null)) {
            throw CalmException.usage("give either --config, for a new model, or --model");
        }
        train("pretrain", model, config, options.get(), null, saving.get());
    }
}
