package org.calm4j.calm.importer;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;

/** Texts to train on: Alpaca and ShareGPT lists. */
final class ConversationLayouts {
    private ConversationLayouts() {}

    static ObjectNode alpaca(Source item) throws Unreadable {
        if (item.text("output").isBlank()) {
            throw new Unreadable("the output is empty");
        }
        String input = item.text("input");
        return line(item)
                .put("prompt", item.text("instruction") + (input.isEmpty() ? "" : "\n" + input))
                .put("completion", item.text("output"));
    }

    static ObjectNode shareGpt(Source item) throws Unreadable {
        ObjectNode line = line(item);
        for (JsonNode turn : item.json().path("conversations")) {
            String role =
                    switch (turn.path("from").asText()) {
                        case "human", "user" -> "user";
                        case "gpt", "assistant" -> "assistant";
                        case "system" -> "system";
                        default ->
                            throw new Unreadable(
                                    "a turn is from '" + turn.path("from").asText() + "'; known: human, gpt, system");
                    };
            line.withArray("messages")
                    .addObject()
                    .put("role", role)
                    .put("content", turn.path("value").asText());
        }
        if (!line.has("messages")) {
            throw new Unreadable("the conversation has no turns");
        }
        return line;
    }

    private static ObjectNode line(Source item) {
        return JsonNodeFactory.instance.objectNode().put("id", item.id()).put("language", item.language());
    }
}
