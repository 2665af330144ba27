package org.calm4j.calm.cli;

import java.nio.file.Path;
import java.util.List;
import org.calm4j.calm.experiment.ExperimentResult;
import org.calm4j.calm.experiment.SeedSeries;
import org.calm4j.engine.CalmException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code calm report}. */
@Command(
        name = "report",
        sortOptions = false,
        description = {
            "Rewrites the report of a finished experiment and prints its tables.",
            "For several experiments with different seeds: mean and standard deviation over the seeds, and each seed's paired differences."
        },
        footer = {"", "Example: calm report calm-demo", "Example: calm report run-1 run-2 run-3 --output all-three"})
final class ReportCommand extends CalmCommand {
    @Parameters(paramLabel = "DIR", arity = "0..*", description = "Output folders of experiments (default: calm-demo).")
    private List<Path> folders = List.of();

    @Option(names = "--experiment", paramLabel = "DIR", description = "The same for one experiment.")
    private Path experiment;

    @Option(
            names = "--output",
            paramLabel = "DIR",
            description = "Folder for the report of several experiments; without it the tables are only printed.")
    private Path output;

    @Option(
            names = "--times",
            description = "Also report how long each stage took, as in timings.json. For one experiment.")
    private boolean times;

    @Override
    void run() {
        if (experiment != null && !folders.isEmpty()) {
            throw CalmException.usage("give either DIR… or --experiment DIR");
        }
        List<Path> all = !folders.isEmpty() ? folders : List.of(experiment != null ? experiment : Path.of("calm-demo"));
        boolean ofSeeds = !SeedSeries.seeds(all.getFirst()).isEmpty();
        if (all.size() == 1 && !ofSeeds) {
            if (output != null) {
                throw CalmException.usage(
                        "--output is for several experiments; the report of one is written into its own folder");
            }
            ExperimentResult result = ExperimentResult.rewrite(all.getFirst(), times, progress());
            result(result.json(), result.markdown());
            return;
        }
        if (times) {
            throw CalmException.usage("--times is for one experiment");
        }
        SeedSeries series =
                SeedSeries.read(all, output == null && all.size() == 1 ? all.getFirst() : output, progress());
        result(series.json(), series.markdown());
    }
}
