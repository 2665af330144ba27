package org.calm4j.calm.tool;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.calm4j.calm.data.Messages;
import org.calm4j.calm.data.PromptLines;
import org.calm4j.calm.data.TrainingData;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.model.Scorer;

/**
 * A text whose completion is scored.
 *
 * @param id of any JSON type
 * @param tokens prompt and completion
 * @param start index of the completion's first token, at least 1
 */
public record ScoredText(JsonNode id, int[] tokens, int start) {
    /**
     * The lines of a file: {@code id}, and either {@code input_ids} and {@code completion_start} or {@code prompt} and {@code completion}.
     *
     * @throws CalmException bad input: a broken line, or one that is longer than the model's positions
     */
    public static List<ScoredText> read(Path input, ModelFolder model) {
        return PromptLines.read(input, (line, where) -> {
            ScoredText read = line(line, where, model);
            read.item().check(model.model());
            return read;
        });
    }

    Scorer.Item item() {
        return new Scorer.Item(Arrays.copyOf(tokens, start), List.of(Arrays.copyOfRange(tokens, start, tokens.length)));
    }

    private static ScoredText line(JsonNode line, String where, ModelFolder model) {
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
            return new ScoredText(id, tokens, start.asInt());
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
            throw CalmException.badInput(where, (prompt.length == 0 ? "prompt" : "completion") + " has no tokens");
        }
        int[] tokens = Arrays.copyOf(prompt, prompt.length + completion.length);
        System.arraycopy(completion, 0, tokens, prompt.length, completion.length);
        return new ScoredText(id, tokens, prompt.length);
    }
}
