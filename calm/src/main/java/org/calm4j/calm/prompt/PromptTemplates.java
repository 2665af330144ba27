package org.calm4j.calm.prompt;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonValue;
import java.nio.file.Path;
import java.util.Collections;
import java.util.Map;
import java.util.TreeMap;
import org.calm4j.calm.data.Question;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Json;

/**
 * The prompt template of each language; a JSON file {@code {"en": {"prompt", "choice", "separator"}, …}} that travels with the questions.
 *
 * @param byLanguage language (ISO 639-1) to template, in order
 */
public record PromptTemplates(@JsonValue Map<String, PromptTemplate> byLanguage) {
    @JsonCreator(mode = JsonCreator.Mode.DELEGATING)
    public PromptTemplates {
        byLanguage = Collections.unmodifiableMap(new TreeMap<>(byLanguage));
    }

    /** What the model is asked, in the question's language. */
    public String render(Question question) {
        PromptTemplate template = byLanguage.get(question.language());
        if (template == null) {
            throw CalmException.badInput("question " + question.id(), "no prompt template for language '" + question.language()
                    + "'; there are " + byLanguage.keySet() + ", add one to the template file");
        }
        return template.render(question);
    }

    public static PromptTemplates read(Path file) {
        PromptTemplates read = Json.read(file, PromptTemplates.class);
        read.byLanguage.forEach((language, template) -> {
            if (template == null || !template.prompt().contains("{question}") || !template.choice().contains("{text}")) {
                throw CalmException.badInput(file, "the template of '" + language + "' needs {question} in prompt and {text} in choice");
            }
        });
        return read;
    }

    public void write(Path file) {
        Json.write(file, this);
    }
}
