package org.calm4j.engine.text;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Json;

/**
 * A model's own way to write a conversation: the Jinja template of {@code chat_template.jinja} or {@code tokenizer_config.json}, rendered
 * with the settings and values that transformers gives. A template comes from strangers: it reads nothing but the values, and its steps,
 * its output and its nesting are bounded.
 */
public final class ChatTemplate {
    private static final String FILE = "chat_template.jinja";
    private static final String CONFIG = "tokenizer_config.json";
    private static final int LONGEST = 1_000_000;

    private final String source;
    private final Map<String, String> tokens;
    private final Object where;

    /** @param tokens what the template calls {@code bos_token}, {@code eos_token} … */
    ChatTemplate(String source, Map<String, String> tokens, Object where) {
        if (source.length() > LONGEST) {
            throw CalmException.badInput(where, "the chat template has " + source.length() + " characters");
        }
        // Jinja drops one line break at the end.
        this.source = source.endsWith("\n") ? source.substring(0, source.length() - 1) : source;
        this.tokens = Map.copyOf(tokens);
        this.where = where;
    }

    /**
     * The template of a model folder; null where it has none. {@code chat_template.jinja} goes before {@code tokenizer_config.json}; of a
     * list of named templates the one called {@code default} is taken.
     *
     * @throws CalmException bad input: a broken file
     */
    public static ChatTemplate read(Path folder) {
        Path config = folder.resolve(CONFIG);
        JsonNode json = Files.exists(config) ? Json.read(config, JsonNode.class) : Json.mapper().createObjectNode();
        Map<String, String> tokens = SpecialTokens.read(folder).named();
        Path file = folder.resolve(FILE);
        if (Files.exists(file)) {
            try {
                return new ChatTemplate(Files.readString(file, StandardCharsets.UTF_8), tokens, file);
            } catch (IOException e) {
                throw CalmException.badInput(file, "cannot be read as UTF-8 text (" + e.getClass().getSimpleName() + ")", e);
            }
        }
        String source = source(json.path("chat_template"), config);
        return source == null ? null : new ChatTemplate(source, tokens, config);
    }

    private static String source(JsonNode template, Path config) {
        if (template.isMissingNode() || template.isNull()) {
            return null;
        }
        if (template.isTextual()) {
            return template.textValue();
        }
        for (JsonNode named : template) {
            if (named.path("name").asText().equals("default") && named.path("template").isTextual()) {
                return named.path("template").textValue();
            }
        }
        throw CalmException.badInput(config, "chat_template is neither a string nor a list with one named \"default\"");
    }

    /**
     * @param messages each with {@code role} and {@code content}
     * @param addGenerationPrompt whether the text goes on to where the model's answer begins
     * @throws CalmException bad input: the template refuses the messages or is broken
     */
    public String render(List<Map<String, Object>> messages, boolean addGenerationPrompt) {
        return render(messages, addGenerationPrompt, Map.of());
    }

    /** @param options more values that the template knows, such as {@code enable_thinking}, {@code date_string} or {@code tools} */
    public String render(List<Map<String, Object>> messages, boolean addGenerationPrompt, Map<String, Object> options) {
        Map<String, Object> values = new HashMap<>(tokens);
        values.put("messages", messages);
        values.put("add_generation_prompt", addGenerationPrompt);
        values.putAll(options);
        return ChatJinja.render(source, values, where);
    }

    /** One message. */
    public static Map<String, Object> message(String role, String content) {
        return Map.of("role", role, "content", content);
    }
}
