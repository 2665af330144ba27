package org.calm4j.calm.cli;

import java.util.List;
import org.calm4j.calm.inspect.CacheStage;
import org.calm4j.engine.inspect.Selection;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.op.Backend;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code calm inspect cache}. */
@Command(
        name = "cache",
        sortOptions = false,
        description = {
            "Writes values at hook points, and their gradients, to a safetensors file: tensors ID/NAME and ID/NAME_grad, F32.",
            "The gradient is that of the sum of the completion's log-probabilities."
        },
        footer = {
            "",
            "Example: calm inspect cache --model base --input texts.jsonl --names 'blocks.*.hook_resid_post' \\",
            "    --gradients --output cache.safetensors"
        })
final class InspectCacheCommand extends CalmCommand {
    @Mixin
    private ModelOptions model = new ModelOptions();

    @Mixin
    private final InputAndOutput files =
            new InputAndOutput("Texts as score reads them, JSON Lines.", "Tensors, safetensors.");

    @Option(
            names = "--names",
            paramLabel = "PATTERN",
            split = ",",
            required = true,
            description = "Hook points by TransformerLens' names; * matches any characters.")
    private List<String> names;

    @Option(names = "--gradients", description = "Gradients, too.")
    private boolean gradients;

    @Option(
            names = "--max-bytes",
            paramLabel = "N",
            description = "Maximum size of one text's values in memory (default: ${DEFAULT-VALUE}).")
    private long maxBytes = Selection.DEFAULT_BYTES;

    @Mixin
    private DeviceOptions device = new DeviceOptions();

    @Override
    void run() {
        try (Backend backend = device.open(this);
                ModelFolder folder = model.open(this, backend)) {
            CacheStage.Summary summary =
                    new CacheStage(files.input(), files.output(), names, gradients, maxBytes).run(folder, progress());
            result(summary, summary.tensors() + " tensors in " + files.output() + ", texts: " + summary.texts());
        }
    }
}
