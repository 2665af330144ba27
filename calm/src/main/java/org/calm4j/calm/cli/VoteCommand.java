package org.calm4j.calm.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.calm4j.calm.stage.VoteOptions;
import org.calm4j.calm.stage.VoteStage;
import org.calm4j.calm.stage.VoteSummary;
import org.calm4j.engine.io.Json;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code calm vote}. */
@Command(name = "vote", sortOptions = false,
        description = {"Pools the sampled answers of all languages and takes the most frequent one.",
            "Where the samples carry the right answers, it is also told how often the vote is right, each language's alone and without each."},
        footer = {"", "Example: calm vote --samples samples-en.jsonl samples-fr.jsonl --output votes.jsonl"})
final class VoteCommand extends CalmCommand {
    @Option(names = "--samples", paramLabel = "FILE", required = true, arity = "1..*", description = "Samples, of one or more languages each.")
    private List<Path> samples;

    @Option(names = "--output", paramLabel = "FILE", required = true, description = "Votes, JSON Lines.")
    private Path output;

    @Option(names = "--extract-only", description = "Write the samples with the answer of each response filled in, and do not vote.")
    private boolean extractOnly;

    @Option(names = "--summary", paramLabel = "FILE", description = "What --json prints, as a file: with the accuracy of the vote of any choice of languages.")
    private Path summary;

    @Mixin
    private VoteOptions options = new VoteOptions();

    @Override
    void run() {
        VoteStage stage = new VoteStage(samples, output, options);
        if (extractOnly) {
            stage.extractOnly();
            result(Map.of("output", output.toString()), "Answers filled in: " + output);
            return;
        }
        VoteSummary votes = stage.run();
        if (summary != null) {
            Json.write(summary, votes);
        }
        ObjectNode result = Json.mapper().valueToTree(votes);
        result(result.put("output", output.toString()), votes.text() + System.lineSeparator() + "Votes in " + output);
    }
}
