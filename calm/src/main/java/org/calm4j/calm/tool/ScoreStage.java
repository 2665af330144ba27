package org.calm4j.calm.tool;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.calm4j.calm.run.Progress;
import org.calm4j.calm.run.SameOnAll;
import org.calm4j.engine.io.Jsonl;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.ranks.Ranks;
import org.calm4j.engine.train.SharedScorer;

/** Sequences in, the natural-log probability of each token of their completions out. */
public record ScoreStage(Path input, Path output) {
    private record Score(
            JsonNode id,
            @JsonProperty("input_ids") int[] inputIds,
            @JsonProperty("completion_start") int completionStart,
            double[] logprobs) {}

    /** Returns the number of lines; rank 0 writes. */
    public int run(ModelFolder model, Progress progress) {
        List<ScoredText> lines = ScoredText.read(input, model);
        SameOnAll.check(Ranks.here(), lines, model);
        progress.start("score", lines.size());
        List<List<double[]>> logProbs;
        try {
            logProbs = SharedScorer.score(
                    Ranks.here(),
                    model.model(),
                    lines.stream().map(ScoredText::item).toList(),
                    done -> progress.at(done, ""));
        } finally {
            progress.end();
        }
        if (logProbs == null) {
            return lines.size();
        }
        List<Score> scores = new ArrayList<>();
        for (int i = 0; i < lines.size(); i++) {
            scores.add(new Score(
                    lines.get(i).id(),
                    lines.get(i).tokens(),
                    lines.get(i).start(),
                    logProbs.get(i).getFirst()));
        }
        Jsonl.write(output, scores);
        return scores.size();
    }
}
