package org.calm4j.calm.cli;

import java.nio.file.Path;
import java.util.Map;
import org.calm4j.calm.inspect.PatchStage;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.op.Backend;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code calm inspect patch}. */
@Command(
        name = "patch",
        sortOptions = false,
        description = {
            "Activation patching: puts values of a clean text's run into a corrupted text's run, one by one.",
            "The metric is the logit of the answer minus that of the wrong one, at the last position."
        },
        footer = {
            "",
            "Example: calm inspect patch --model base --input pairs.jsonl --at resid_pre --output effects.jsonl"
        })
final class InspectPatchCommand extends CalmCommand {
    @Mixin
    private ModelOptions model = new ModelOptions();

    @Option(
            names = "--input",
            paramLabel = "FILE",
            required = true,
            description =
                    "Lines with id, clean_input_ids, corrupted_input_ids (as many), answer and wrong (token ids), JSON Lines.")
    private Path input;

    @Option(
            names = "--at",
            required = true,
            paramLabel = "POINT",
            description =
                    "Place: ${COMPLETION-CANDIDATES}. z is patched by head at all positions, the others position by position.")
    private PatchStage.Point at;

    @Option(
            names = "--method",
            paramLabel = "exact|attribution",
            description =
                    "A run for each value, or their first order from one backward pass (default: ${DEFAULT-VALUE}).")
    private PatchStage.Method method = PatchStage.Method.EXACT;

    @Option(
            names = "--output",
            paramLabel = "FILE",
            required = true,
            description = "Lines with id, clean, corrupted and effect[layer][position], JSON Lines.")
    private Path output;

    @Mixin
    private DeviceOptions device = new DeviceOptions();

    @Override
    void run() {
        try (Backend backend = device.open(this);
                ModelFolder folder = model.open(this, backend)) {
            int lines = new PatchStage(input, output, at, method).run(folder, progress());
            result(Map.of("lines", lines, "output", output.toString()), "Effects in " + output + ", pairs: " + lines);
        }
    }
}
