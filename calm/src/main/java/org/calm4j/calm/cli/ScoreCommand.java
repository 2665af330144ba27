package org.calm4j.calm.cli;

import java.util.Map;
import org.calm4j.calm.tool.ScoreStage;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.op.Backend;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code calm score}. */
@Command(
        name = "score",
        sortOptions = false,
        description = {
            "Computes the log-probability of every token of given completions.",
            "Lines have id, and either input_ids and completion_start or prompt and completion, both text or both messages."
        },
        footer = {"", "Example: calm score --model base --input texts.jsonl --output scores.jsonl"})
final class ScoreCommand extends CalmCommand {
    @Mixin
    private ModelOptions model = new ModelOptions();

    @Mixin
    private final InputAndOutput files =
            new InputAndOutput("Lines to score, JSON Lines.", "Log-probabilities, JSON Lines.");

    @Mixin
    private DeviceOptions device = new DeviceOptions();

    @Override
    boolean isShared() {
        return true;
    }

    @Override
    void run() {
        try (Backend backend = device.open(this);
                ModelFolder folder = model.open(this, backend)) {
            int lines = new ScoreStage(files.input(), files.output()).run(folder, progress());
            result(
                    Map.of("lines", lines, "output", files.output().toString()),
                    lines + " lines scored. Log-probabilities in " + files.output());
        }
    }
}
