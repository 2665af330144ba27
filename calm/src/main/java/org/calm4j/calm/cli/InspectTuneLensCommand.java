package org.calm4j.calm.cli;

import java.nio.file.Path;
import java.util.Locale;
import java.util.stream.Collectors;
import org.calm4j.calm.inspect.TuneLensStage;
import org.calm4j.engine.Setting;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.op.Backend;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code calm inspect tune-lens}. */
@Command(
        name = "tune-lens",
        sortOptions = false,
        description = {
            "Trains a tuned lens (Belrose et al. 2023): one affine map per layer, after which last norm and head say what the "
                    + "model says at its end. It begins as the logit lens; calm inspect lens --tuned DIR uses it."
        },
        footer = {"", "Example: calm inspect tune-lens --model base --data texts.jsonl --output lens"})
final class InspectTuneLensCommand extends CalmCommand {
    @Mixin
    private ModelOptions model = new ModelOptions();

    @Option(
            names = "--data",
            paramLabel = "FILE",
            required = true,
            description = "Texts as pretrain reads them, JSON Lines or a JSON list.")
    private Path data;

    @Option(
            names = "--eval-data",
            paramLabel = "FILE",
            description = "The same, by which the lens is judged (default: --data).")
    private Path evalData;

    @Option(names = "--max-steps", paramLabel = "N", description = "Optimizer steps (default: ${DEFAULT-VALUE}).")
    private int maxSteps = 250;

    @Option(names = "--batch-size", paramLabel = "N", description = "Texts per step (default: ${DEFAULT-VALUE}).")
    private int batchSize = 16;

    @Option(
            names = "--learning-rate",
            paramLabel = "X",
            converter = NumberConverters.Finite.class,
            description = "Of the first step; it falls linearly to 0 (default: ${DEFAULT-VALUE}).")
    private double learningRate = 1e-3;

    @Option(
            names = "--output",
            paramLabel = "DIR",
            required = true,
            description = "A new folder for config.json and params.safetensors.")
    private Path output;

    @Mixin
    private SeedOption seed = new SeedOption();

    @Mixin
    private DeviceOptions device = new DeviceOptions();

    @Override
    void run() {
        Setting.of("max_steps").check(maxSteps >= 0, "must be at least 0");
        Setting.of("batch_size").check(batchSize >= 1, "must be at least 1");
        Setting.of("learning_rate").check(learningRate >= 0, "must be at least 0");
        TuneLensStage stage = new TuneLensStage(data, evalData, output, maxSteps, batchSize, learningRate, seed.seed);
        try (Backend backend = device.open(this);
                ModelFolder folder = model.open(this, backend)) {
            TuneLensStage.Result found = stage.run(folder, progress());
            String text = found.layers().stream()
                    .map(each -> String.format(
                            Locale.ROOT, "%5d  %10.4f  %10.4f%n", each.layer(), each.logitLens(), each.tunedLens()))
                    .collect(Collectors.joining());
            result(found, "KL to the model's output, nats\nlayer  logit lens  tuned lens\n" + text + "In " + output);
        }
    }
}
