package org.calm4j.calm.tool;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.List;
import org.calm4j.calm.data.Messages;
import org.calm4j.calm.data.PromptLines;
import org.calm4j.engine.chat.ChatTemplate;
import org.calm4j.engine.chat.Conversation;
import org.calm4j.engine.io.Jsonl;
import org.calm4j.engine.text.Tokenizer;

/**
 * Texts, or messages through the model's chat template, in; their token ids, and the text that these decode to (special tokens shown), out.
 *
 * @param specialTokens whether the tokenizer adds its own before and after a text; a chat template writes them itself
 */
public record TokenizeStage(Path model, Path input, Path output, boolean specialTokens) {
    private record Line(
            JsonNode id, @JsonProperty("input_ids") int[] inputIds, String decoded) {}

    /** Returns the number of lines. */
    public int run() {
        Tokenizer tokenizer = Tokenizer.read(model);
        ChatTemplate template = ChatTemplate.read(model);
        List<Line> lines = PromptLines.read(input, (line, where) -> {
            int[] ids = line.has("messages")
                    ? conversation(tokenizer, template, line, where)
                    : tokenizer.encode(PromptLines.text(line, "text", where), specialTokens);
            return new Line(PromptLines.id(line, where), ids, tokenizer.decode(ids, false));
        });
        Jsonl.write(output, lines);
        return lines.size();
    }

    private static int[] conversation(Tokenizer tokenizer, ChatTemplate template, JsonNode line, String where) {
        Conversation conversation = Messages.conversation(tokenizer, template, line, "messages", where);
        return Messages.at(
                where,
                () -> conversation.encode(line.path("add_generation_prompt").asBoolean(false)));
    }
}
