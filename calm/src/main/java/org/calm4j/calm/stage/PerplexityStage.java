package org.calm4j.calm.stage;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.calm4j.calm.run.Progress;
import org.calm4j.calm.run.SameOnAll;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Jsonl;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.model.Scorer;
import org.calm4j.engine.ranks.Ranks;
import org.calm4j.engine.train.SharedScorer;

/** Statements in, for each language exp of the mean negative log-likelihood of their completions' tokens out. */
public record PerplexityStage(Path statements, Path output) {
    private record Statement(String language, String prompt, String completion) {}

    /** @param n statements */
    record Perplexity(int n, double perplexity) {}

    /** All ranks compute, rank 0 writes. */
    public void run(ModelFolder model, Progress progress) {
        List<Statement> lines = Jsonl.read(statements, Statement.class, (line, where) -> {
            if (line.language() == null || line.prompt() == null || line.completion() == null) {
                throw CalmException.badInput(where, "a statement needs language, prompt and completion");
            }
            return line;
        });
        List<Scorer.Item> items = new ArrayList<>();
        for (Statement line : lines) {
            items.add(new Scorer.Item(
                    model.requireTokenizer().encodePrompt(line.prompt()),
                    List.of(model.requireTokenizer().encode(line.completion(), false))));
        }
        SameOnAll.check(Ranks.here(), lines, model);
        progress.start("perplexity", items.size());
        List<List<double[]>> scores;
        try {
            scores = SharedScorer.score(Ranks.here(), model.model(), items, done -> progress.at(done, ""));
        } finally {
            progress.end();
        }
        if (scores == null) {
            return;
        }
        Map<String, List<double[]>> byLanguage = new TreeMap<>();
        for (int i = 0; i < lines.size(); i++) {
            byLanguage
                    .computeIfAbsent(lines.get(i).language(), language -> new ArrayList<>())
                    .add(scores.get(i).getFirst());
        }
        Map<String, Perplexity> result = new TreeMap<>();
        byLanguage.forEach((language, all) -> result.put(language, perplexity(all)));
        Json.write(output, result);
    }

    private static Perplexity perplexity(List<double[]> logProbs) {
        double sum = 0;
        long tokens = 0;
        for (double[] each : logProbs) {
            for (double logProb : each) {
                sum += logProb;
            }
            tokens += each.length;
        }
        return new Perplexity(logProbs.size(), Math.exp(-sum / tokens));
    }
}
