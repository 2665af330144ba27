package org.calm4j.calm.prompt;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonValue;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import com.fasterxml.jackson.dataformat.yaml.YAMLGenerator;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.calm4j.calm.data.Prompt;
import org.calm4j.calm.data.Question;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.AtomicFile;
import org.calm4j.engine.io.JsonProblem;
import org.calm4j.engine.io.TextFile;

/**
 * The prompt template of each language; a YAML file, {@code en: {prompt: …, choice: …, separator: …}}, that travels with the questions or
 * the model.
 *
 * @param byLanguage language (ISO 639-1) to template, in order
 */
public record PromptTemplates(@JsonValue Map<String, PromptTemplate> byLanguage) {
    /** The name of a model folder's own templates. */
    public static final String FILE = "prompts.yaml";
    /** Those that are built in: the CALM authors' for X-CSQA and for MEDQA, and one for any question. */
    public static final List<String> TASKS = List.of("xcsqa", "medqa", "generic");

    private static final YAMLMapper YAML = YAMLMapper.builder(YAMLFactory.builder()
                    .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                    .disable(YAMLGenerator.Feature.WRITE_DOC_START_MARKER)
                    .build())
            .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
            .build();

    @JsonCreator(mode = JsonCreator.Mode.DELEGATING)
    public PromptTemplates {
        byLanguage = Collections.unmodifiableMap(new TreeMap<>(byLanguage));
    }

    /** What the model is asked, in the question's language. */
    public String render(Question question) {
        return template(question).render(question);
    }

    /** @param chat whether the model has a chat template, which makes turns of the examples */
    public Prompt ask(Question question, boolean chat) {
        PromptTemplate template = template(question);
        return chat ? template.conversation(question) : new Prompt(template.render(question), null);
    }

    private PromptTemplate template(Question question) {
        PromptTemplate template = byLanguage.get(question.language());
        if (template == null) {
            throw CalmException.badInput(
                    "question " + question.id(),
                    "no prompt template for language '" + question.language() + "'; there are " + byLanguage.keySet()
                            + ", add one to the template file");
        }
        return template;
    }

    /**
     * @throws CalmException bad input: missing, invalid YAML (with its line), or a template that does not show the question and its options
     */
    public static PromptTemplates read(Path file) {
        PromptTemplates read = parse(file);
        TextFile.checkWhole(read.byLanguage.toString(), file);
        read.byLanguage.forEach((language, template) -> {
            if (template == null
                    || !template.prompt().contains("{question}")
                    || !template.choice().contains("{text}")) {
                throw CalmException.badInput(
                        file, "the template of '" + language + "' needs {question} in prompt and {text} in choice");
            }
        });
        return read;
    }

    private static PromptTemplates parse(Path file) {
        try {
            PromptTemplates read = YAML.readValue(Files.readAllBytes(file), PromptTemplates.class);
            if (read == null || read.byLanguage.isEmpty()) {
                throw CalmException.badInput(
                        file, "has no templates, such as  en: {prompt: …, choice: …, separator: …}");
            }
            return read;
        } catch (NoSuchFileException e) {
            throw CalmException.badInput(
                    file, "no such file; the built-in templates are " + String.join(", ", TASKS), e);
        } catch (JsonProcessingException e) {
            throw CalmException.badInput(
                    file + ":"
                            + (e.getLocation() == null
                                    ? 1
                                    : Math.max(1, e.getLocation().getLineNr())),
                    JsonProblem.of(e).replace("JSON", "YAML"),
                    e);
        } catch (IOException e) {
            throw CalmException.unreadable(file, e);
        }
    }

    /**
     * Templates of a file, or of a built-in task by its name, where one is given; else the model folder's {@value #FILE}; else the built-in
     * ones for any question.
     */
    public static PromptTemplates choose(Path file, Path model) {
        if (file != null) {
            return isTask(file) ? builtIn(file.getFileName().toString()) : read(file);
        }
        Path own = model == null ? null : model.resolve(FILE);
        return own != null && Files.exists(own) ? read(own) : builtIn("generic");
    }

    /** Whether this names one of the built-in tasks and no file. */
    public static boolean isTask(Path file) {
        return TASKS.contains(file.getFileName().toString()) && !Files.exists(file);
    }

    /** @param task one of {@link #TASKS} */
    public static PromptTemplates builtIn(String task) {
        try (InputStream in = PromptTemplates.class.getResourceAsStream(task + ".yaml")) {
            return YAML.readValue(in, PromptTemplates.class);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    public void write(Path file) {
        AtomicFile.write(file, out -> out.write(YAML.writeValueAsBytes(this)));
    }
}
