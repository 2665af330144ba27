package org.calm4j.calm.data;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.calm4j.engine.chat.ChatTemplate;
import org.calm4j.engine.io.Json;

/**
 * Turns of a conversation, in the forms of OpenAI and TRL ({@code role}, {@code content}), ShareGPT ({@code from}, {@code value}) and Alpaca
 * ({@code system}, {@code history}, {@code instruction}, {@code input}), as LLaMA-Factory's converters understand them.
 */
final class Turns {
    static final String TOOLS = "tools";
    static final String TEMPLATE_OPTIONS = "chat_template_kwargs";
    private static final Map<String, String> ROLES = Map.of(
            "human",
            "user",
            "user",
            "user",
            "gpt",
            "assistant",
            "assistant",
            "assistant",
            "chatgpt",
            "assistant",
            "bing",
            "assistant",
            "system",
            "system",
            "observation",
            "tool",
            "tool",
            "tool");
    private static final TypeReference<Map<String, Object>> MAP = new TypeReference<>() {};
    private static final TypeReference<List<Object>> LIST = new TypeReference<>() {};

    private Turns() {}

    /** A list of messages, a single message, or the assistant's text. */
    static List<Map<String, Object>> of(Row row, String name) {
        JsonNode value = row.get(name);
        if (value.isTextual()) {
            return List.of(ChatTemplate.message("assistant", value.textValue()));
        }
        if (!value.isContainerNode()) {
            throw row.bad(name + (row.names(name) ? " must be text or a list of messages" : " is missing"));
        }
        return of(value, name, row);
    }

    static List<Map<String, Object>> of(JsonNode value, String name, Row row) {
        JsonNode list = value.isObject() ? Json.mapper().createArrayNode().add(value) : value;
        if (!list.isArray() || !isShareGpt(list)) {
            return Messages.of(list, name, row.where());
        }
        List<Map<String, Object>> turns = new ArrayList<>();
        for (JsonNode turn : list) {
            if (!turn.path("from").isTextual() || !turn.path("value").isTextual()) {
                throw row.bad(name + "[" + turns.size() + "] needs from and value");
            }
            turns.add(turn(
                    turn.path("from").textValue(),
                    turn.path("value").textValue(),
                    name + "[" + turns.size() + "]",
                    row));
        }
        return turns;
    }

    private static boolean isShareGpt(JsonNode list) {
        return list.path(0).has("from");
    }

    private static Map<String, Object> turn(String from, String value, String name, Row row) {
        if (from.equals("function_call")) {
            return Map.of("role", "assistant", "content", "", "tool_calls", calls(value, name, row));
        }
        if (!ROLES.containsKey(from)) {
            throw row.bad(name + " is from \"" + from + "\"; known: human, gpt, system, function_call, observation");
        }
        return ChatTemplate.message(ROLES.get(from), value);
    }

    private static List<Object> calls(String value, String name, Row row) {
        List<Object> calls = new ArrayList<>();
        JsonNode parsed = parsed(value, name, row);
        for (JsonNode call : parsed.isArray() ? parsed : List.of(parsed)) {
            calls.add(Map.of("type", "function", "function", Json.mapper().convertValue(call, MAP)));
        }
        return calls;
    }

    private static JsonNode parsed(String value, String name, Row row) {
        try {
            JsonNode parsed = Json.mapper().readTree(value);
            if (parsed.isContainerNode()) {
                return parsed;
            }
        } catch (JsonProcessingException e) {
            // Reported below.
        }
        throw row.bad(name + " must be JSON");
    }

    /** Earlier turns, each a user's question and its answer. */
    static List<List<String>> history(Row row, String name) {
        List<List<String>> history = new ArrayList<>();
        for (JsonNode turn : row.has(name) ? row.get(name) : List.<JsonNode>of()) {
            if (turn.size() != 2 || !turn.path(0).isTextual() || !turn.path(1).isTextual()) {
                throw row.bad(name + " must be a list of pairs [question, answer]");
            }
            history.add(List.of(turn.path(0).textValue(), turn.path(1).textValue()));
        }
        return history;
    }

    /** The list, after the line's {@code system} message if there is one and the list does not begin with one. */
    static List<Map<String, Object>> withSystem(List<Map<String, Object>> turns, Row row) {
        String system = row.textOr("system", "");
        if (system.isEmpty()
                || !turns.isEmpty() && "system".equals(turns.getFirst().get("role"))) {
            return turns;
        }
        List<Map<String, Object>> all = new ArrayList<>();
        all.add(ChatTemplate.message("system", system));
        all.addAll(turns);
        return all;
    }

    /**
     * What the template receives besides the messages: {@code tools} (a list, or its JSON) and all of {@code chat_template_kwargs}.
     *
     * @throws org.calm4j.engine.CalmException bad input: another form
     */
    static Map<String, Object> options(Row row) {
        Map<String, Object> options = new LinkedHashMap<>();
        if (row.has(TEMPLATE_OPTIONS)) {
            if (!row.get(TEMPLATE_OPTIONS).isObject()) {
                throw row.bad(TEMPLATE_OPTIONS + " must be an object");
            }
            options.putAll(Json.mapper().convertValue(row.get(TEMPLATE_OPTIONS), MAP));
        }
        if (row.has(TOOLS)) {
            JsonNode tools =
                    row.get(TOOLS).isTextual() ? parsed(row.get(TOOLS).textValue(), TOOLS, row) : row.get(TOOLS);
            if (!tools.isArray()) {
                throw row.bad(TOOLS + " must be a list");
            }
            if (!tools.isEmpty()) {
                options.put(TOOLS, Json.mapper().convertValue(tools, LIST));
            }
        }
        return options;
    }

    /** The number of messages that two lists have in common at the beginning. */
    static int common(List<Map<String, Object>> first, List<Map<String, Object>> second) {
        int common = 0;
        while (common < Math.min(first.size(), second.size())
                && first.get(common).equals(second.get(common))) {
            common++;
        }
        return common;
    }

    /** The number of characters that two texts have in common at the beginning, without half a surrogate pair and without a final blank, as in TRL. */
    static int common(String first, String second) {
        int common = 0;
        while (common < Math.min(first.length(), second.length()) && first.charAt(common) == second.charAt(common)) {
            common++;
        }
        if (common > 0 && Character.isHighSurrogate(first.charAt(common - 1))) {
            common--;
        }
        return common > 0 && first.charAt(common - 1) == ' ' ? common - 1 : common;
    }
}
