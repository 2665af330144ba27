package org.calm4j.calm.cli;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.calm4j.calm.option.PreferenceOptions;
import org.calm4j.calm.option.SavingOptions;
import org.calm4j.calm.option.TrainingOptions;
import org.calm4j.calm.stage.TrainStage;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.train.StepLog;
import org.calm4j.engine.train.Truncation;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** What dpo, sft and pretrain share besides {@link TrainingOptions}. */
abstract class TrainingCommand extends CalmCommand {
    @Option(names = "--adapter", paramLabel = "DIR", description = "A PEFT folder (LoRA) to train further.")
    private Path adapter;

    @Option(
            names = "--data",
            paramLabel = "FILE",
            arity = "1..*",
            required = true,
            parameterConsumer = LastFiles.class,
            description = "Training data, JSON Lines or JSON lists; of several files one follows the other.")
    private List<Path> data;

    @Option(
            names = {"--output", "--output-dir"},
            paramLabel = "DIR",
            required = true,
            description = "Folder for the model or adapter, metrics.jsonl, train_config.json and checkpoints.")
    private Path output;

    @Mixin
    private InspectOption inspect = new InspectOption();

    @Option(names = "--bf16", description = "As in TRL: the same as --precision bf16.")
    private boolean bf16;

    @Mixin
    private SeedOption seed = new SeedOption();

    @Mixin
    private DeviceOptions device = new DeviceOptions();

    @Mixin
    private WatchOption watch = new WatchOption();

    @Override
    final void run() {
        WithoutEffect options = new WithoutEffect(spec());
        options.beside(adapter).forEach(line -> say("calm: " + line));
        options.lines().forEach(line -> say("calm: " + line));
        train();
    }

    /** Calls {@link #train(String, Path, Path, TrainingOptions, PreferenceOptions, SavingOptions)}. */
    abstract void train();

    @Override
    final boolean isShared() {
        return true;
    }

    /**
     * @param config of a new model; null with an existing model
     * @param preference how pairs are trained on; null if the data are documents
     */
    final void train(
            String name,
            Path model,
            Path config,
            TrainingOptions training,
            PreferenceOptions preference,
            SavingOptions saving) {
        refuseIfSame(model, output);
        refuseIfSame(adapter, output);
        TrainStage stage = new TrainStage(
                name, model, adapter, config, data, output, training, preference, saving, inspect.read(), seed.seed);
        if (bf16) {
            device.bf16();
        }
        try (Backend backend = device.open(this);
                WatchOption.Page page = watch.of(this, output)) {
            TrainStage.Result trained = stage.run(backend, page.progress(stoppable()));
            StepLog last = trained.last();
            Map<String, Object> result = new LinkedHashMap<>();
            result.put("output", output.toString());
            result.put("steps", last == null ? null : last.step());
            result.put("loss", last == null ? null : last.loss());
            if (!training.data().truncation().equals(Truncation.NONE)) {
                result.put("truncated_lines", trained.truncatedLines());
                result.put("truncated_tokens", trained.truncatedTokens());
            }
            String text = last == null
                    ? "No steps were left. "
                    : String.format(
                            Locale.ROOT,
                            "%d %s, last loss %.4f. ",
                            last.step(),
                            last.step() == 1 ? "step" : "steps",
                            last.loss());
            result(result, text + "Saved in " + output);
        }
    }
}
