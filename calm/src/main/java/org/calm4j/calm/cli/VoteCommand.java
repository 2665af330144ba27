package org.calm4j.calm.cli;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.calm4j.calm.data.Vote;
import org.calm4j.calm.stage.VoteStage;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code calm vote}. */
@Command(name = "vote", sortOptions = false,
        description = {"Pools the sampled answers of all languages and takes the most frequent one.",
            "Where two answers share the first place there is no winner: answer is null and tie is true."},
        footer = {"", "Example: calm vote --samples samples-en.jsonl samples-fr.jsonl --output votes.jsonl"})
final class VoteCommand extends CalmCommand {
    @Option(names = "--samples", paramLabel = "FILE", required = true, arity = "1..*", description = "Samples, of one or more languages each.")
    private List<Path> samples;

    @Option(names = "--output", paramLabel = "FILE", required = true, description = "Votes, JSON Lines.")
    private Path output;

    @Option(names = "--extract-only", description = "Write the samples with the answer of each response filled in, and do not vote.")
    private boolean extractOnly;

    @Override
    void run() {
        VoteStage stage = new VoteStage(samples, output);
        Map<String, Object> result = new LinkedHashMap<>();
        if (extractOnly) {
            stage.extractOnly();
            result.put("output", output.toString());
            result(result, "Answers filled in: " + output);
            return;
        }
        List<Vote> votes = stage.run();
        long winners = votes.stream().filter(vote -> vote.answer() != null).count();
        long ties = votes.stream().filter(Vote::tie).count();
        double agreement = votes.stream().mapToDouble(Vote::agreement).average().orElse(0);
        result.put("questions", votes.size());
        result.put("winners", winners);
        result.put("ties", ties);
        result.put("unanswered", votes.size() - winners - ties);
        result.put("agreement", agreement);
        result.put("output", output.toString());
        result(result, String.format(Locale.ROOT, "%d questions: %d with a winner, %d tied, %d without an answer; mean agreement %.1f %%. Votes in %s",
                votes.size(), winners, ties, votes.size() - winners - ties, 100 * agreement, output));
    }
}
