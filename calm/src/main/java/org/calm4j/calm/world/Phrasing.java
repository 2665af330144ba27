package org.calm4j.calm.world;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.calm4j.calm.prompt.PromptTemplate;

/**
 * The sentences of one language, from {@code phrasing.yaml}.
 *
 * @param coverage share of the facts that the language's pretraining texts state where it is not a hub
 * @param the territories that take the article "the"
 * @param prompt with {@code {question}} and {@code {choices}}
 * @param separator between two choices
 * @param syllables of the names of fictional places
 */
record Phrasing(
        double coverage,
        Set<String> the,
        String prompt,
        String separator,
        Sentences region,
        Sentences language,
        List<String> syllables) {
    private static final String VALUE = "{value}";
    /** All languages the world can speak. */
    static final Map<String, Phrasing> ALL = load();

    /** A question and the statement that answers it, with {@code {territory}} (or {@code {Territory}}) and {@code {value}}. */
    record Sentences(String question, String statement) {}

    @JsonCreator
    Phrasing(
            @JsonProperty("coverage") double coverage,
            @JsonProperty("the") Set<String> the,
            @JsonProperty("prompt") String prompt,
            @JsonProperty("separator") String separator,
            @JsonProperty("region") Sentences region,
            @JsonProperty("language") Sentences language,
            @JsonProperty("syllables") String syllables) {
        this(
                coverage,
                the == null ? Set.of() : Set.copyOf(the),
                prompt,
                separator,
                region,
                language,
                List.of(syllables.split(" ")));
    }

    Sentences of(Relation relation) {
        return switch (relation) {
            case REGION -> region;
            case LANGUAGE -> language;
        };
    }

    /** @param code the territory's code, for its article; null for a fictional place */
    String question(Relation relation, String code, String name) {
        return withPlace(of(relation).question(), code, name);
    }

    /** The statement up to its value. */
    String beforeValue(Relation relation, String code, String name) {
        String statement = of(relation).statement();
        return withPlace(statement.substring(0, statement.indexOf(VALUE)), code, name)
                .stripTrailing();
    }

    /** The statement from its value on. */
    String fromValue(Relation relation, String value) {
        String statement = of(relation).statement();
        return value + statement.substring(statement.indexOf(VALUE) + VALUE.length());
    }

    PromptTemplate promptTemplate() {
        return new PromptTemplate(prompt, "{text}", separator);
    }

    /** Every text that words of the templates come from, without the placeholders. */
    List<String> texts() {
        String articles = the.isEmpty() ? "" : "the The";
        return List.of(
                prompt.replaceAll("\\{\\w+}", ""),
                separator,
                articles,
                bare(region.question),
                bare(region.statement),
                bare(language.question),
                bare(language.statement));
    }

    private static String bare(String template) {
        return template.replaceAll("\\{\\w+}", "");
    }

    private String withPlace(String template, String code, String name) {
        boolean article = code != null && the.contains(code);
        return template.replace("{territory}", (article ? "the " : "") + name)
                .replace("{Territory}", (article ? "The " : "") + name);
    }

    private static Map<String, Phrasing> load() {
        try (InputStream in = Phrasing.class.getResourceAsStream("phrasing.yaml")) {
            return Collections.unmodifiableMap(
                    new YAMLMapper().readValue(in, new TypeReference<LinkedHashMap<String, Phrasing>>() {}));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
