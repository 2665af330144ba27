package org.calm4j.calm.cli;

import java.nio.file.Path;
import org.calm4j.calm.experiment.ExperimentFile;
import org.calm4j.calm.option.InspectOptions;
import picocli.CommandLine.Option;

/** {@code --inspect} of what trains. */
final class InspectOption {
    @Option(
            names = "--inspect",
            paramLabel = "FILE",
            description =
                    "Measure inside the model on the way, beside its metrics: YAML keys every, statistics, tokens, share, probe, "
                            + "probe_every, outlier_z; an empty file measures all that the data allow every 10 steps.")
    private Path file;

    /** Null where nothing is measured. */
    InspectOptions read() {
        return file == null ? null : ExperimentFile.readOptions(file, InspectOptions.class);
    }
}
