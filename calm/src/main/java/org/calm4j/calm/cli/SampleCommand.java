package org.calm4j.calm.cli;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.calm4j.calm.option.SampleOptions;
import org.calm4j.calm.prompt.PromptTemplates;
import org.calm4j.calm.stage.SampleStage;
import org.calm4j.engine.generate.Sampling;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.op.Backend;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code calm sample}. */
@Command(
        name = "sample",
        sortOptions = false,
        description = "Asks a model every question several times.",
        footer = {
            "",
            "Example: calm sample --model base --data questions-en.jsonl questions-fr.jsonl \\",
            "    --output samples.jsonl"
        })
final class SampleCommand extends CalmCommand {
    @Mixin
    private ModelOptions model = new ModelOptions();

    @Option(
            names = "--data",
            paramLabel = "FILE",
            required = true,
            arity = "1..*",
            description = "Questions, JSON Lines.")
    private List<Path> data;

    @Option(names = "--output", paramLabel = "FILE", required = true, description = "Samples, JSON Lines.")
    private Path output;

    @Option(
            names = "--prompts",
            paramLabel = "FILE",
            description =
                    "Prompt templates by language, or xcsqa, medqa, generic (default: the model's own, or generic).")
    private Path prompts;

    @Mixin
    private final Given<SampleOptions> sampling = new Given<>(SampleOptions.class);

    @Option(names = "--resume", description = "Continue a stopped run with the same settings.")
    private boolean resume;

    @Mixin
    private SeedOption seed = new SeedOption();

    @Mixin
    private DeviceOptions device = new DeviceOptions();

    @Override
    boolean isShared() {
        return true;
    }

    @Override
    void run() {
        Sampling drawn = sampling.get().sampling(seed.seed);
        PromptTemplates templates = PromptTemplates.choose(prompts, model.model);
        try (Backend backend = device.open(this);
                ModelFolder folder = model.open(this, backend)) {
            new SampleStage(data, templates, output, drawn).run(folder, resume, stoppable());
            result(Map.of("output", output.toString()), "Samples in " + output);
        }
    }
}
