package org.calm4j.calm.prompt;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonValue;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
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
    private static final String FILE = "prompts.json";

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

    /** Those of a file, where one is given; else the model folder's {@code prompts.json}; else the built-in ones. */
    public static PromptTemplates choose(Path file, Path model) {
        if (file != null) {
            return read(file);
        }
        Path own = model.resolve(FILE);
        return Files.exists(own) ? read(own) : builtIn();
    }

    /** Questions with labelled choices, asking for the reasoning first and the label last, in ten languages. */
    public static PromptTemplates builtIn() {
        try (InputStream in = PromptTemplates.class.getResourceAsStream(FILE)) {
            return Json.mapper().readValue(in, PromptTemplates.class);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    public void write(Path file) {
        Json.write(file, this);
    }
}
