package org.calm4j.calm.cli;

import java.nio.file.Path;
import org.calm4j.calm.stage.ExperimentResult;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code calm report}. */
@Command(name = "report", sortOptions = false, description = "Writes the report of a finished experiment anew and prints its tables.",
        footer = {"", "Example: calm report --experiment calm-demo"})
final class ReportCommand extends CalmCommand {
    @Option(names = "--experiment", paramLabel = "DIR", defaultValue = "calm-demo", description = "Its output folder (default: ${DEFAULT-VALUE}).")
    private Path experiment;

    @Override
    void run() {
        ExperimentResult result = ExperimentResult.rewrite(experiment);
        result(result.json(), result.markdown());
    }
}
