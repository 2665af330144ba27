package org.calm4j.calm.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.calm4j.calm.experiment.ExperimentFile;
import org.calm4j.calm.metric.ResponseKind;
import org.calm4j.calm.metric.ResponsePatterns;
import org.calm4j.calm.option.VoteOptions;
import org.calm4j.calm.vote.ExtractStage;
import org.calm4j.calm.vote.VoteStage;
import org.calm4j.calm.vote.VoteSummary;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Json;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code calm vote}. */
@Command(
        name = "vote",
        sortOptions = false,
        description = {
            "Pools the sampled answers of all languages and takes the most frequent one.",
            "If the samples carry the right answers, also reports how often the vote is right, each language's alone and without each."
        },
        footer = {"", "Example: calm vote --samples samples-en.jsonl samples-fr.jsonl --output votes.jsonl"})
final class VoteCommand extends CalmCommand {
    @Option(
            names = "--samples",
            paramLabel = "FILE",
            required = true,
            arity = "1..*",
            description = "Samples, of one or more languages per file.")
    private List<Path> samples;

    @Option(names = "--output", paramLabel = "FILE", required = true, description = "Votes, JSON Lines.")
    private Path output;

    @Option(
            names = "--extract-only",
            description = "Write the samples with the answer of each response filled in, and do not vote.")
    private boolean extractOnly;

    @Option(
            names = "--explain",
            description =
                    "With --extract-only: write for each response a line with the rule that decided, and its words.")
    private boolean explain;

    @Option(
            names = "--summary",
            paramLabel = "FILE",
            description =
                    "Write what --json prints to a file, with the accuracy of the vote of any choice of languages.")
    private Path summary;

    @Option(
            names = "--patterns",
            paramLabel = "FILE",
            description =
                    "Kinds of responses to count: names with a regular expression each, or one for each " + "language.")
    private Path patterns;

    @Mixin
    private final Given<VoteOptions> options = new Given<>(VoteOptions.class);

    @Override
    void run() {
        if (extractOnly) {
            extract();
            return;
        }
        if (explain) {
            throw CalmException.usage("--explain needs --extract-only");
        }
        ResponsePatterns kinds = ExperimentFile.read(patterns, Map.of(), ResponsePatterns.class, null);
        VoteStage stage = new VoteStage(samples, output, options.get());
        VoteSummary votes = stage.run();
        ObjectNode result = Json.mapper().valueToTree(votes);
        String text = votes.text();
        if (kinds != null) {
            Map<String, ResponseKind> counted = stage.count(kinds);
            result.set("patterns", Json.mapper().valueToTree(counted));
            text += System.lineSeparator() + ResponsePatterns.text(counted);
        }
        if (summary != null) {
            Json.write(summary, result);
        }
        result(result.put("output", output.toString()), text + System.lineSeparator() + "Votes in " + output);
    }

    private void extract() {
        List<ExtractStage.Explained> explained = new ArrayList<>();
        ExtractStage.Summary summary = new ExtractStage(samples, output).run(explain ? explained::add : each -> {});
        ObjectNode result = Json.mapper().valueToTree(summary);
        if (explain) {
            result.set("explained", Json.mapper().valueToTree(explained));
        }
        String lines = explained.stream()
                .map(each -> each.text() + System.lineSeparator())
                .collect(Collectors.joining());
        result(result, lines + "Answers filled in. " + summary.text());
    }
}
