package org.calm4j.calm.prompt;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import org.calm4j.calm.data.Question;
import org.calm4j.engine.CalmException;

/**
 * The prompt template of each language; a JSON file {@code {"en": {"prompt", "choice", "separator"}, …}} that travels with the questions.
 *
 * @param byLanguage language (ISO 639-1) to template
 */
public record PromptTemplates(Map<String, PromptTemplate> byLanguage) {
    private static final JsonMapper JSON = new JsonMapper();

    public PromptTemplates {
        byLanguage = Map.copyOf(byLanguage);
    }

    /** What the model is asked, in the question's language. */
    public String render(Question question) {
        PromptTemplate template = byLanguage.get(question.language());
        if (template == null) {
            throw CalmException.badInput("question " + question.id(), "no prompt template for language '" + question.language()
                    + "'; there are " + new TreeMap<>(byLanguage).keySet() + ", add one to the template file");
        }
        return template.render(question);
    }

    public static PromptTemplates read(Path file) {
        try {
            Map<String, PromptTemplate> read = JSON.readValue(Files.readString(file), new TypeReference<Map<String, PromptTemplate>>() {
            });
            read.forEach((language, template) -> check(file, language, template));
            return new PromptTemplates(read);
        } catch (JsonProcessingException e) {
            int line = e.getLocation() == null ? 1 : e.getLocation().getLineNr();
            throw CalmException.badInput(file + ":" + line, "not a file of prompt templates: " + e.getOriginalMessage(), e);
        } catch (IOException e) {
            throw CalmException.badInput(file, "cannot read the prompt templates: " + e, e);
        }
    }

    private static void check(Path file, String language, PromptTemplate template) {
        if (!template.prompt().contains("{question}") || !template.choice().contains("{text}")) {
            throw CalmException.badInput(file, "the template of '" + language + "' needs {question} in prompt and {text} in choice");
        }
    }

    /** The same templates as text for a file, languages in order. */
    public String toJson() {
        try {
            return JSON.writerWithDefaultPrettyPrinter().writeValueAsString(new TreeMap<>(byLanguage)) + "\n";
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }
}
