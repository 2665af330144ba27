package org.calm4j.calm.stage;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.calm4j.calm.data.Samples;
import org.calm4j.calm.data.Vote;
import org.calm4j.engine.io.Jsonl;

/**
 * Samples in, one vote a question out: all responses of all languages count alike, and the most frequent answer is taken for the truth
 * (self-consistency over languages). Two answers that share the first place are no truth: the vote has no winner then, and {@code tie} says so.
 */
public record VoteStage(List<Path> samples, Path output) {

    public List<Vote> run() {
        List<Vote> votes = vote(SampleFiles.read(samples, false));
        Jsonl.write(output, votes);
        return votes;
    }

    /** {@code vote --extract-only}: the samples with each response's answer filled in by the extractor. */
    public void extractOnly() {
        Jsonl.write(output, SampleFiles.read(samples, true));
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
