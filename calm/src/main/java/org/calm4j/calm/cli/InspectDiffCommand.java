package org.calm4j.calm.cli;

import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import org.calm4j.calm.inspect.DiffStage;
import org.calm4j.calm.inspect.DiffStage.Change;
import org.calm4j.calm.inspect.Pages;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code calm inspect diff}. */
@Command(
        name = "diff",
        sortOptions = false,
        description =
                "Shows what training changed: norms, largest singular value and effective rank of each tensor's change.",
        footer = {"", "Example: calm inspect diff --before base --after calm --output diff.jsonl"})
final class InspectDiffCommand extends CalmCommand {
    @Option(names = "--before", paramLabel = "DIR", required = true, description = "A model folder.")
    private Path before;

    @Option(names = "--after", paramLabel = "DIR", required = true, description = "The same model after training.")
    private Path after;

    @Option(
            names = "--output",
            paramLabel = "FILE",
            required = true,
            description = "Lines with name, shape, frobenius, relative, spectral and effective_rank, JSON Lines.")
    private Path output;

    @Mixin
    private final PageOption page = new PageOption();

    @Override
    void run() {
        List<Change> changes = new DiffStage(before, after, output).run(progress());
        int width = changes.stream()
                .mapToInt(change -> change.name().length())
                .max()
                .orElse(4);
        String text = changes.stream()
                .map(change -> String.format(
                        Locale.ROOT,
                        "%-" + width + "s  %10.4g  %9s  %10.4g  %8.1f%n",
                        change.name(),
                        change.frobenius(),
                        change.relative() == null
                                ? "-"
                                : String.format(Locale.ROOT, "%.3f %%", 100 * change.relative()),
                        change.spectral(),
                        change.effectiveRank()))
                .collect(Collectors.joining());
        page.write(output, Pages::diff);
        result(
                changes,
                String.format(
                                "%-" + width + "s  %10s  %9s  %10s  %8s%n",
                                "tensor",
                                "frobenius",
                                "relative",
                                "spectral",
                                "rank")
                        + text + "In " + output);
    }
}
