package org.calm4j.calm.tool;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.calm4j.calm.data.Messages;
import org.calm4j.calm.data.TrainingData;
import org.calm4j.calm.run.Progress;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Jsonl;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.model.Scorer;

/** Sequences in, the natural-log probability of each token of their completions out. */
public record ScoreStage(Path input, Path output) {
    private record Line(JsonNode id, int[] tokens, int start) {
        Scorer.Item item() {
            return new Scorer.Item(
                    Arrays.copyOf(tokens, start), List.of(Arrays.copyOfRange(tokens, start, tokens.length)));
        }
    }

    private record Score(
            JsonNode id,
            @JsonProperty("input_ids") int[] inputIds,
            @JsonProperty("completion_start") int completionStart,
            double[] logprobs) {}

    /** Returns the number of lines. */
    public int run(ModelFolder model, Progress progress) {
        List<Line> lines = PromptLines.read(input, (line, where) -> {
            Line read = line(line, where, model);
            read.item().check(model.model());
            return read;
        });
        progress.start("score", lines.size());
        List<List<double[]>> logProbs;
        try {
            logProbs = new Scorer(model.model())
                    .score(lines.stream().map(Line::item).toList(), done -> progress.at(done, ""));
        } finally {
            progress.end();
        }
        List<Score> scores = new ArrayList<>();
        for (int i = 0; i < lines.size(); i++) {
            scores.add(new Score(
                    lines.get(i).id,
                    lines.get(i).tokens,
                    lines.get(i).start,
                    logProbs.get(i).getFirst()));
        }
        Jsonl.write(output, scores);
        return scores.size();
    }

    private static Line line(JsonNode line, String where, ModelFolder model) {
        JsonNode id = PromptLines.id(line, where);
        if (line.has("input_ids")) {
            int[] tokens = TrainingData.ids(
                    line,
                    "input_ids",
                    where,
                    model.model().config().vocabulary().size());
            JsonNode start = line.path("completion_start");
            if (!start.isInt() || start.asInt() < 1 || start.asInt() >= tokens.length) {
                throw CalmException.badInput(
                        where,
                        "completion_start must be a whole number from 1 to below the number of input_ids, "
                                + tokens.length);
            }
            return new Line(id, tokens, start.asInt());
        }
        int[] prompt = PromptLines.prompt(model, line, "prompt", where);
        int[] completion = line.path("prompt").isArray()
                ? Messages.answer(
                        Messages.conversation(model.tokenizer(), model.chatTemplate(), line, "prompt", where),
                        line,
                        "completion",
                        where)
                : model.requireTokenizer().encode(PromptLines.text(line, "completion", where), false);
        if (prompt.length == 0 || completion.length == 0) {
            throw CalmException.badInput(where, (prompt.length == 0 ? "prompt" : "completion") + " has no token");
        }
        int[] tokens = Arrays.copyOf(prompt, prompt.length + completion.length);
        System.arraycopy(completion, 0, tokens, prompt.length, completion.length);
        return new Line(id, tokens, prompt.length);
    }
}
