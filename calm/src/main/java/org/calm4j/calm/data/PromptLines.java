package org.calm4j.calm.data;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.List;
import java.util.function.BiFunction;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.chat.Conversation;
import org.calm4j.engine.io.Jsonl;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.text.Tokenizer;

/** JSON Lines with an {@code id} and text, messages or token ids for a model. */
public final class PromptLines {
    private PromptLines() {}

    /** The lines of a file; an empty file is bad input. */
    public static <T> List<T> read(Path input, BiFunction<JsonNode, String, T> make) {
        List<T> lines =
                Jsonl.read(input, JsonNode.class, (line, where) -> Messages.at(where, () -> make.apply(line, where)));
        if (lines.isEmpty()) {
            throw CalmException.badInput(input, "has no lines");
        }
        return lines;
    }

    /** The token ids of a line with {@code prompt}, {@code messages} or {@code input_ids}; none is bad input. */
    public static int[] tokens(ModelFolder model, JsonNode line, String where) {
        if (line.has("input_ids")) {
            return TrainingData.ids(
                    line,
                    "input_ids",
                    where,
                    model.model().config().vocabulary().size());
        }
        if (!line.has("prompt") && !line.has("messages")) {
            throw CalmException.badInput(where, "expected prompt, messages or input_ids");
        }
        int[] tokens = prompt(model, line, line.has("messages") ? "messages" : "prompt", where);
        if (tokens.length == 0) {
            throw CalmException.badInput(where, "prompt has no token");
        }
        return tokens;
    }

    /** @throws CalmException bad input: the field is missing or no id of a token */
    public static int token(ModelFolder model, JsonNode line, String name, String where) {
        int vocabulary = model.model().config().vocabulary().size();
        JsonNode token = line.path(name);
        if (!token.isInt() || token.asInt() < 0 || token.asInt() >= vocabulary) {
            throw CalmException.badInput(where, name + " must be a token id from 0 to " + (vocabulary - 1));
        }
        return token.asInt();
    }

    /** The ids of a prompt: text, or messages through the chat template up to the start of the model's answer. */
    public static int[] prompt(ModelFolder model, JsonNode line, String name, String where) {
        Tokenizer tokenizer = model.requireTokenizer();
        if (name.equals("prompt") && !line.path(name).isArray()) {
            return tokenizer.encodePrompt(text(line, name, where));
        }
        Conversation asked = Messages.conversation(tokenizer, model.chatTemplate(), line, name, where);
        return Messages.at(where, asked::prompt);
    }

    /** The id, of any JSON type: it is copied to the result unchanged. */
    public static JsonNode id(JsonNode line, String where) {
        if (!line.path("id").isValueNode() || line.path("id").isNull()) {
            throw CalmException.badInput(where, "id is missing");
        }
        return line.path("id");
    }

    /** @throws CalmException bad input: the field is missing or not text */
    public static String text(JsonNode line, String name, String where) {
        if (!line.path(name).isTextual()) {
            throw CalmException.badInput(where, name + (line.has(name) ? " must be a string" : " is missing"));
        }
        return line.path(name).asText();
    }
}
