package org.calm4j.calm.inspect;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.calm4j.calm.data.PromptLines;
import org.calm4j.calm.run.Progress;
import org.calm4j.engine.inspect.Inspector;
import org.calm4j.engine.inspect.LogitAttribution;
import org.calm4j.engine.io.Jsonl;
import org.calm4j.engine.model.ModelFolder;

/** Direct logit attribution: what each head and each feed-forward layer adds to the answer's logit over that of a wrong one. */
public record AttributionStage(Path input, Path output) {
    private record Line(JsonNode id, int[] tokens, int answer, int wrong) {}

    /**
     * The terms of a line, which sum to the difference; those that the model lacks are 0.
     *
     * @param logitDifference answer minus wrong, at the last position
     * @param heads [layer][head]
     */
    public record Result(
            JsonNode id,
            @JsonProperty("logit_difference") double logitDifference,
            double embed,
            @JsonProperty("pos_embed") double posEmbed,
            double[][] heads,
            @JsonProperty("attn_bias") double[] attnBias,
            double[] mlp,
            @JsonProperty("norm_bias") double normBias) {
        private static Result of(JsonNode id, LogitAttribution found) {
            return new Result(
                    id,
                    found.difference(),
                    found.embedding(),
                    found.positionEmbedding(),
                    found.heads(),
                    found.attentionBias(),
                    found.feedForward(),
                    found.normBias());
        }
    }

    public List<Result> run(ModelFolder model, Progress progress) {
        List<Line> lines = PromptLines.read(
                input,
                (line, where) -> new Line(
                        PromptLines.id(line, where),
                        PromptLines.tokens(model, line, where),
                        PromptLines.token(model, line, "answer", where),
                        PromptLines.token(model, line, "wrong", where)));
        int longest = lines.stream().mapToInt(line -> line.tokens.length).max().orElseThrow();
        List<Result> results = new ArrayList<>();
        progress.start("attribution", lines.size());
        try (Inspector inspector = new Inspector(model.model(), longest)) {
            for (Line line : lines) {
                results.add(Result.of(line.id, LogitAttribution.of(inspector, line.tokens, line.answer, line.wrong)));
                progress.at(results.size(), "");
            }
        } finally {
            progress.end();
        }
        Jsonl.write(output, results);
        return results;
    }
}
