package org.calm4j.calm.cli;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.calm4j.calm.prompt.PromptTemplates;
import org.calm4j.calm.stage.PairsStage;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code calm pairs}. */
@Command(name = "pairs", sortOptions = false,
        description = "Makes preference pairs: a response that agrees with the vote is chosen, one that does not is rejected.",
        footer = {"", "Example: calm pairs --samples samples.jsonl --votes votes.jsonl --output pairs.jsonl"})
final class PairsCommand extends CalmCommand {
    @Option(names = "--samples", paramLabel = "FILE", required = true, arity = "1..*", description = "The samples that voted.")
    private List<Path> samples;

    @Option(names = "--votes", paramLabel = "FILE", required = true, description = "Their votes.")
    private Path votes;

    @Option(names = "--output", paramLabel = "FILE", required = true, description = "Pairs, JSON Lines.")
    private Path output;

    @Option(names = "--prompts", paramLabel = "FILE",
            description = "Prompt templates by language, those of the sampling (default: the samples' own prompts, or built-in ones).")
    private Path prompts;

    @Option(names = "--max-pairs-per-question", paramLabel = "N", defaultValue = "1", converter = Numbers.Positive.class,
            description = "Pairs of a question in a language at most (default: ${DEFAULT-VALUE}).")
    private int most;

    @Override
    void run() {
        PromptTemplates templates = prompts == null ? PromptTemplates.builtIn() : PromptTemplates.read(prompts);
        PairsStage.Counts counts = new PairsStage(samples, votes, templates, output, most).run();
        Map<String, Object> result = new LinkedHashMap<>();
        result.put("pairs", counts.pairs());
        result.put("sources", counts.sources());
        result.put("skipped", counts.skipped());
        result.put("output", output.toString());
        result(result, counts.pairs() + " pairs " + counts.sources() + ", none for " + counts.skipped() + ". Pairs in " + output);
    }
}
