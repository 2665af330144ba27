package org.calm4j.calm.stage;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.calm4j.calm.data.Samples;
import org.calm4j.calm.data.Vote;
import org.calm4j.calm.extract.AnswerExtractor;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Jsonl;

/**
 * Samples in, one vote a question out: all responses of all languages count alike, and the most frequent answer is taken for the truth
 * (self-consistency over languages). Two answers that share the first place are no truth: the vote has no winner then, and {@code tie} says so.
 */
public record VoteStage(List<Path> samples, Path output) {

    public List<Vote> run() {
        List<Vote> votes = vote(read(samples));
        Jsonl.write(output, votes);
        return votes;
    }

    /** {@code vote --extract-only}: the samples with each response's answer filled in by the extractor. */
    public void extractOnly() {
        Jsonl.write(output, read(samples).stream().map(VoteStage::extracted).toList());
    }

    static Samples extracted(Samples samples) {
        return Samples.of(samples.asQuestion(), samples.responses().stream().map(response -> new Samples.Response(response.text(),
                AnswerExtractor.extract(response.text(), samples.choices()), response.logprob(), response.numTokens())).toList());
    }

    /** Samples of all files; responses without an answer that were never looked at are extracted now. */
    static List<Samples> read(List<Path> files) {
        List<Samples> all = new ArrayList<>();
        Set<List<String>> seen = new HashSet<>();
        for (Path file : files) {
            all.addAll(Jsonl.read(file, Samples.class, (line, where) -> {
                SampleStage.check(line.asQuestion(), where);
                if (line.responses() == null || line.responses().stream().anyMatch(response -> response == null || response.text() == null)) {
                    throw CalmException.badInput(where, "responses are missing, or one has no text");
                }
                if (!seen.add(List.of(line.id(), line.language()))) {
                    throw CalmException.badInput(where, "a second line for id " + line.id() + " in " + line.language());
                }
                return line.responses().stream().allMatch(response -> response.answer() == null) ? extracted(line) : line;
            }));
        }
        if (all.isEmpty()) {
            throw CalmException.badInput(files.getFirst(), "has no samples");
        }
        return all;
    }

    static List<Vote> vote(List<Samples> samples) {
        Map<String, Map<String, Map<String, Integer>>> byId = new LinkedHashMap<>();
        for (Samples line : samples) {
            Map<String, Integer> counts = byId.computeIfAbsent(line.id(), id -> new TreeMap<>())
                    .computeIfAbsent(line.language(), language -> new TreeMap<>());
            for (Samples.Response response : line.responses()) {
                if (response.answer() != null) {
                    counts.merge(response.answer(), 1, Integer::sum);
                }
            }
        }
        List<Vote> votes = new ArrayList<>();
        byId.forEach((id, byLanguage) -> votes.add(count(id, byLanguage)));
        return votes;
    }

    private static Vote count(String id, Map<String, Map<String, Integer>> byLanguage) {
        Map<String, Integer> pooled = new TreeMap<>();
        byLanguage.values().forEach(counts -> counts.forEach((label, n) -> pooled.merge(label, n, Integer::sum)));
        int all = pooled.values().stream().mapToInt(Integer::intValue).sum();
        int most = pooled.values().stream().mapToInt(Integer::intValue).max().orElse(0);
        List<String> first = pooled.entrySet().stream().filter(entry -> entry.getValue() == most).map(Map.Entry::getKey).toList();
        return new Vote(id, first.size() == 1 ? first.getFirst() : null, pooled, byLanguage, all == 0 ? 0 : (double) most / all,
                first.size() > 1);
    }
}
