package org.calm4j.engine.chat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.jinja.Template;
import org.calm4j.engine.text.SpecialTokens;

/**
 * A model's own format of conversations: the {@link Template} of {@code chat_template.jinja} or {@code tokenizer_config.json}, rendered
 * with the settings and values that transformers gives.
 */
public final class ChatTemplate {
    private static final String FILE = "chat_template.jinja";
    private static final String CONFIG = "tokenizer_config.json";
    private static final String DEFAULT = "default";
    private static final String TOOL_USE = "tool_use";

    private final Source source;
    /** For conversations with tools; null without a separate one. */
    private final Source toolUse;

    private final Map<String, String> tokens;

    /** @param tokens the template's {@code bos_token}, {@code eos_token} … */
    ChatTemplate(String source, Map<String, String> tokens, Object where) {
        this(source, null, tokens, where);
    }

    private ChatTemplate(String source, String toolUse, Map<String, String> tokens, Object where) {
        this.source = new Source(source, where);
        this.toolUse = toolUse == null ? null : new Source(toolUse, where);
        this.tokens = Map.copyOf(tokens);
    }

    /** Parsed on first use: a model with a broken template still reads text. */
    private static final class Source {
        private final String text;
        private final Object where;
        private volatile Template template;

        private Source(String text, Object where) {
            this.text = text;
            this.where = where;
        }

        private Template template() {
            if (template == null) {
                template = Template.parse(text, where);
            }
            return template;
        }
    }

    /**
     * The template of a model folder; null without one. {@code chat_template.jinja} takes precedence over {@code tokenizer_config.json}; of
     * named templates, {@code default} is used, and {@code tool_use}, if there is one, for conversations with tools.
     *
     * @throws CalmException bad input: a broken file
     */
    public static ChatTemplate read(Path folder) {
        Path config = folder.resolve(CONFIG);
        JsonNode json = Files.exists(config)
                ? Json.read(config, JsonNode.class)
                : Json.mapper().createObjectNode();
        Map<String, String> tokens = SpecialTokens.read(folder).named();
        Path file = folder.resolve(FILE);
        if (Files.exists(file)) {
            try {
                return new ChatTemplate(Files.readString(file, StandardCharsets.UTF_8), tokens, file);
            } catch (IOException e) {
                throw CalmException.unreadable(file, e);
            }
        }
        JsonNode template = json.path("chat_template");
        if (template.isMissingNode() || template.isNull()) {
            return null;
        }
        if (template.isTextual()) {
            return new ChatTemplate(template.textValue(), tokens, config);
        }
        String source = named(template, DEFAULT);
        if (source == null) {
            throw CalmException.badInput(
                    config, "chat_template is neither a string nor a list with one named \"default\"");
        }
        return new ChatTemplate(source, named(template, TOOL_USE), tokens, config);
    }

    /** Null if there is none of this name. */
    private static String named(JsonNode templates, String name) {
        if (templates.path(name).isTextual()) {
            return templates.path(name).textValue();
        }
        for (JsonNode each : templates) {
            if (each.path("name").asText().equals(name) && each.path("template").isTextual()) {
                return each.path("template").textValue();
            }
        }
        return null;
    }

    /**
     * @param messages each with {@code role} and {@code content}
     * @param addGenerationPrompt whether the text continues up to the start of the model's answer
     * @throws CalmException bad input: the template refuses the messages or is broken
     */
    public String render(List<Map<String, Object>> messages, boolean addGenerationPrompt) {
        return render(messages, addGenerationPrompt, Map.of());
    }

    /** @param options more values for the template, such as {@code enable_thinking}, {@code date_string} or {@code tools} */
    public String render(List<Map<String, Object>> messages, boolean addGenerationPrompt, Map<String, Object> options) {
        return rendered(messages, addGenerationPrompt, options).text();
    }

    /** The same, with what the template marks as said by the model. */
    Template.Rendered rendered(
            List<Map<String, Object>> messages, boolean addGenerationPrompt, Map<String, Object> options) {
        Map<String, Object> values = new HashMap<>(tokens);
        // Defined, but null, as transformers passes them.
        values.put("tools", null);
        values.put("documents", null);
        values.put("messages", messages);
        values.put("add_generation_prompt", addGenerationPrompt);
        values.putAll(options);
        return (toolUse != null && values.get("tools") != null ? toolUse : source)
                .template()
                .rendered(values);
    }

    /** One message. */
    public static Map<String, Object> message(String role, String content) {
        // In this order, which templates can see.
        Map<String, Object> message = new LinkedHashMap<>();
        message.put("role", role);
        message.put("content", content);
        return message;
    }
}
