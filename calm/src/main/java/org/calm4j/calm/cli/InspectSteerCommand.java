package org.calm4j.calm.cli;

import java.util.Locale;
import java.util.stream.Collectors;
import org.calm4j.calm.inspect.SteerStage;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.op.Backend;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code calm inspect steer}. */
@Command(
        name = "steer",
        sortOptions = false,
        description = {
            "Steering vectors: the mean of one group of texts at a hook point minus that of another; generate --steer adds them.",
            "Groups are two languages, say, or questions answered correctly and incorrectly."
        },
        footer = {
            "",
            "Example: calm inspect steer --model base --input texts.jsonl --at blocks.3.hook_resid_post \\",
            "    --from ja --to en --output to-en.safetensors"
        })
final class InspectSteerCommand extends CalmCommand {
    @Mixin
    private ModelOptions model = new ModelOptions();

    @Mixin
    private final InputAndOutput files = new InputAndOutput(
            "Lines with id, the field of --by, and input_ids, prompt or messages, JSON Lines. Other groups are passed over.",
            "A tensor for each hook point under its name, safetensors.");

    @Option(
            names = "--at",
            paramLabel = "PATTERN",
            required = true,
            description = "Hook points by TransformerLens' names; * stands for any characters.")
    private String at;

    @Option(
            names = "--by",
            paramLabel = "FIELD",
            description = "Field that tells the groups apart (default: ${DEFAULT-VALUE}).")
    private String by = "language";

    @Option(names = "--from", paramLabel = "VALUE", required = true, description = "The group to steer away from.")
    private String from;

    @Option(names = "--to", paramLabel = "VALUE", required = true, description = "The group to steer towards.")
    private String to;

    @Option(
            names = "--tokens",
            paramLabel = "mean|last",
            description = "What a text counts as: the mean of its tokens, or its last one (default: ${DEFAULT-VALUE}).")
    private SteerStage.Tokens tokens = SteerStage.Tokens.MEAN;

    @Mixin
    private DeviceOptions device = new DeviceOptions();

    @Override
    void run() {
        try (Backend backend = device.open(this);
                ModelFolder folder = model.open(this, backend)) {
            SteerStage.Summary summary =
                    new SteerStage(files.input(), files.output(), at, by, from, to, tokens).run(folder, progress());
            String norms = summary.vectors().stream()
                    .map(vector -> String.format(Locale.ROOT, "%s, norm %.4g%n", vector.name(), vector.norm()))
                    .collect(Collectors.joining());
            result(
                    summary,
                    norms + "From " + summary.from() + " lines of " + from + " to " + summary.to() + " of " + to
                            + ". In " + files.output());
        }
    }
}
