package org.calm4j.calm.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.calm4j.calm.option.GenerateOptions;
import org.calm4j.calm.tool.GenerateStage;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.inspect.Steering;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.op.Backend;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code calm generate}. */
@Command(
        name = "generate",
        sortOptions = false,
        description = {
            "Continues prompts.",
            "Lines of --input have id, and prompt, messages or input_ids; results are written to --output, or to stdout."
        },
        footer = {
            "",
            "Example: calm generate --model base --prompt \"Once upon a time\" \\",
            "    --temperature 0.8 --max-new-tokens 64"
        })
final class GenerateCommand extends CalmCommand {
    @Mixin
    private ModelOptions model = new ModelOptions();

    @Option(names = "--prompt", paramLabel = "TEXT", description = "One prompt.")
    private String prompt;

    @Option(names = "--input", paramLabel = "FILE", description = "Prompts, JSON Lines.")
    private Path input;

    @Option(names = "--output", paramLabel = "FILE", description = "Completions, JSON Lines.")
    private Path output;

    @Mixin
    private final Given<GenerateOptions> sampling = new Given<>(GenerateOptions.class);

    @Option(
            names = "--steer",
            paramLabel = "FILE",
            description = "Vectors that inspect steer made, added at every position.")
    private Path steer;

    @Option(
            names = "--steer-scale",
            paramLabel = "X",
            description = "How many times they are added (default: ${DEFAULT-VALUE}).")
    private double steerScale = 1;

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
        if ((prompt == null) == (input == null)) {
            throw CalmException.usage("give either --prompt TEXT or --input FILE");
        }
        if (!Double.isFinite(steerScale)) {
            throw CalmException.usage("--steer-scale must be finite");
        }
        GenerateStage stage = new GenerateStage(sampling.get().sampling(seed.seed));
        try (Backend backend = device.open(this);
                ModelFolder opened = model.open(this, backend)) {
            ModelFolder folder = steered(opened);
            List<ObjectNode> results = input == null
                    ? stage.ofPrompt(folder, prompt, progress())
                    : stage.ofFile(folder, input, progress());
            if (!ranks().isFirst()) {
                return;
            }
            if (output != null) {
                GenerateStage.write(results, output);
                result(
                        Map.of("lines", results.size(), "output", output.toString()),
                        results.size() + " prompts continued. Completions in " + output);
            } else if (input != null || isJson()) {
                results.forEach(line -> out().println(Json.compact(line)));
            } else {
                results.getFirst().path("completions").forEach(completion -> out().println(
                                completion.path("text").asText()));
            }
        }
    }

    private ModelFolder steered(ModelFolder folder) {
        return steer == null
                ? folder
                : folder.with(Steering.read(steer, folder.model().config()).on(folder.model(), steerScale));
    }
}
