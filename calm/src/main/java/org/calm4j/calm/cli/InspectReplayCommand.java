package org.calm4j.calm.cli;

import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import org.calm4j.calm.inspect.ReplayStage;
import org.calm4j.engine.op.Backend;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code calm inspect replay}. */
@Command(
        name = "replay",
        sortOptions = false,
        description = {
            "Repeats a step of a finished training run: its checkpoint, to the bit, from the nearest existing one.",
            "If lines are left out, all steps are repeated, as in a run that never had those lines."
        },
        footer = {"", "Example: calm inspect replay aligned --step 150 --without-language ja --output step-150"})
final class InspectReplayCommand extends CalmCommand {
    @Parameters(paramLabel = "RUN", description = "The output folder of dpo, sft or pretrain.")
    private Path run;

    @Option(names = "--step", paramLabel = "N", required = true, description = "The step, from 1.")
    private int step;

    @Option(names = "--without-language", paramLabel = "L", description = "Leave out lines in this language.")
    private String language;

    @Option(
            names = "--without-lines",
            paramLabel = "N",
            split = ",",
            description = "Leave out these lines of the data, counted from 1.")
    private List<Integer> lines = List.of();

    @Option(names = "--output", paramLabel = "DIR", required = true, description = "The checkpoint folder to write.")
    private Path output;

    @Mixin
    private DeviceOptions device = new DeviceOptions();

    @Override
    void run() {
        refuseIfSame(run, output);
        try (Backend backend = device.open(this)) {
            ReplayStage.Summary summary =
                    new ReplayStage(run, output, step, language, Set.copyOf(lines)).run(backend, progress());
            result(
                    summary,
                    "Step " + summary.step() + ", of a run on " + summary.left() + " of " + summary.lines()
                            + " lines, in " + output);
        }
    }
}
