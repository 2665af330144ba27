package org.calm4j.calm.data;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.chat.ChatTemplate;
import org.calm4j.engine.chat.Conversation;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.text.Tokenizer;

/** Lists of messages in data files: objects with {@code role}, {@code content} and anything else that the model's chat template knows. */
public final class Messages {
    private static final TypeReference<Map<String, Object>> MESSAGE = new TypeReference<>() {};

    private Messages() {}

    /** @throws CalmException bad input: not a list of messages, or an empty one */
    public static List<Map<String, Object>> of(JsonNode list, String name, String where) {
        if (!list.isArray() || list.isEmpty()) {
            throw CalmException.badInput(where, name + " must be a list of messages, at least one");
        }
        List<Map<String, Object>> messages = new ArrayList<>();
        for (JsonNode message : list) {
            if (!message.path("role").isTextual() || !message.hasNonNull("content") && !message.has("tool_calls")) {
                throw CalmException.badInput(where, name + "[" + messages.size() + "] needs role and content");
            }
            messages.add(Json.mapper().convertValue(message, MESSAGE));
        }
        return messages;
    }

    /** A prompt as messages: earlier turns, then the question. */
    public static List<Map<String, Object>> of(Prompt prompt) {
        return Conversation.messages(prompt.text(), prompt.history());
    }

    /**
     * A list of messages for the model's chat template, with the line's {@code tools} and {@code chat_template_kwargs}.
     *
     * @throws CalmException bad input: not a list of messages, or a model without a chat template
     */
    public static Conversation conversation(
            Tokenizer tokenizer, ChatTemplate template, JsonNode line, String name, String where) {
        Row row = new Row(new DataFile.Item(line, where));
        return at(
                where,
                () -> new Conversation(tokenizer, template, of(line.path(name), name, where), Turns.options(row)));
    }

    /** The ids of a field that continues a conversation: messages, or the assistant's text. */
    public static int[] answer(Conversation asked, JsonNode line, String name, String where) {
        JsonNode answer = line.path(name);
        if (!answer.isArray() && !answer.isTextual()) {
            throw CalmException.badInput(
                    where, name + (line.has(name) ? " must be text or a list of messages" : " is missing"));
        }
        List<Map<String, Object>> said = answer.isArray()
                ? of(answer, name, where)
                : List.of(ChatTemplate.message("assistant", answer.textValue()));
        return at(where, () -> asked.completion(said));
    }

    /** Runs work on a line; an error gets the line's place in front. */
    public static <T> T at(String where, Supplier<T> work) {
        try {
            return work.get();
        } catch (CalmException e) {
            throw e.getMessage().startsWith(where) ? e : e.within(where + ": ");
        }
    }
}
