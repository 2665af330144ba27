package org.calm4j.calm.cli;

import java.nio.file.Path;
import java.util.function.Function;
import org.calm4j.calm.report.HeatPage;
import picocli.CommandLine.Option;

/** Results as a page besides. */
final class PageOption {
    @Option(names = "--report", paramLabel = "FILE", description = "The results as one HTML file, with heat maps.")
    private Path page;

    /** Writes the page of a file of results, where one was asked for. */
    void write(Path results, Function<Path, HeatPage> of) {
        if (page != null) {
            of.apply(results).write(page);
        }
    }
}
