package org.calm4j.calm.cli;

import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import org.calm4j.calm.inspect.Pages;
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
            "Example: calm inspect patch --model base --input pairs.jsonl --at resid_pre --output effects.jsonl",
            "Example: calm inspect patch --model base --input pairs.jsonl --at mlp_out \\",
            "    --method exact,attribution --steps 8 --output effects.jsonl"
        })
final class InspectPatchCommand extends CalmCommand {
    /** A correlation from which on attribution may stand for exact patching. */
    private static final double GOOD = 0.9;

    @Mixin
    private ModelOptions model = new ModelOptions();

    @Mixin
    private final InputAndOutput files = new InputAndOutput(
            "Lines with id, clean_input_ids, corrupted_input_ids (as many), answer and wrong (token ids), JSON Lines.",
            "Lines with id, clean, corrupted and effect[layer][position], with both methods also "
                    + "attribution[layer][position], JSON Lines.");

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
            split = ",",
            description = "A copy of the text for each value, or their first order from one backward pass; of both, "
                    + "separated by a comma, the correlation is told (default: exact).")
    private List<PatchStage.Method> methods = List.of(PatchStage.Method.EXACT);

    @Option(
            names = "--steps",
            paramLabel = "N",
            description =
                    "Steps of attribution on the way of the embeddings from the corrupted text to the clean one, a backward pass "
                            + "each, whose mean gradient it takes (integrated gradients; default: ${DEFAULT-VALUE}, the corrupted text's alone).")
    private int steps = 1;

    @Mixin
    private final PageOption page = new PageOption();

    @Mixin
    private DeviceOptions device = new DeviceOptions();

    @Override
    void run() {
        try (Backend backend = device.open(this);
                ModelFolder folder = model.open(this, backend)) {
            PatchStage.Summary found = new PatchStage(files.input(), files.output(), at, EnumSet.copyOf(methods), steps)
                    .run(folder, progress());
            page.write(files.output(), Pages::patch);
            result(found, told(found) + "Effects in " + files.output() + ", pairs: " + found.lines());
        }
    }

    private String told(PatchStage.Summary found) {
        if (found.byLayer() == null) {
            return "";
        }
        String correlation = found.correlation() == null
                ? "Attribution and exact patching have no correlation: nothing changes.\n"
                : String.format(
                        Locale.ROOT, "Correlation of attribution with exact patching: %.3f%n", found.correlation());
        List<String> below = IntStream.range(0, found.byLayer().size())
                .filter(layer ->
                        found.byLayer().get(layer) != null && found.byLayer().get(layer) < GOOD)
                .mapToObj(layer -> String.format(
                        Locale.ROOT, "layer %d (%.2f)", layer, found.byLayer().get(layer)))
                .toList();
        return below.isEmpty()
                ? correlation
                : correlation + "It is below " + GOOD + " at " + at + " of " + String.join(", ", below)
                        + ": the first order misses what a large change does; use exact there, or more --steps.\n";
    }
}
