package org.calm4j.calm.cli;

import java.nio.file.Path;
import java.util.Map;
import org.calm4j.calm.inspect.LensStage;
import org.calm4j.calm.inspect.Pages;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.op.Backend;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code calm inspect lens}. */
@Command(
        name = "lens",
        sortOptions = false,
        description = {
            "The logit lens, or a tuned lens: last norm and head applied to the stream at every layer and position.",
            "Layer 0 is the stream before the first block, layer l that after block l - 1."
        },
        footer = {
            "",
            "Example: calm inspect lens --model base --input texts.jsonl --output lens.jsonl",
            "Example: calm inspect lens --model base --tuned lens --input texts.jsonl --output tuned.jsonl"
        })
final class InspectLensCommand extends CalmCommand {
    @Mixin
    private ModelOptions model = new ModelOptions();

    @Mixin
    private final InputAndOutput files = new InputAndOutput(
            "Texts as score reads them, JSON Lines.", "Lines with id, layer, position, top and logprob, JSON Lines.");

    @Option(
            names = "--tuned",
            paramLabel = "DIR",
            description = "A tuned lens that tune-lens wrote: its layers' maps come before norm and head.")
    private Path tuned;

    @Option(
            names = "--top-k",
            paramLabel = "K",
            description = "Number of most probable tokens (default: ${DEFAULT-VALUE}).")
    private int topK = 5;

    @Mixin
    private final PageOption page = new PageOption();

    @Mixin
    private DeviceOptions device = new DeviceOptions();

    @Override
    void run() {
        if (topK < 1) {
            throw CalmException.usage("--top-k must be at least 1");
        }
        try (Backend backend = device.open(this);
                ModelFolder folder = model.open(this, backend)) {
            int lines = new LensStage(files.input(), files.output(), tuned, topK).run(folder, progress());
            page.write(files.output(), Pages::lens);
            result(Map.of("lines", lines, "output", files.output().toString()), lines + " lines in " + files.output());
        }
    }
}
