package org.calm4j.calm.prompt;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.calm4j.calm.data.Prompt;
import org.calm4j.calm.data.Question;

/**
 * How a question is put to the model in one language.
 *
 * @param prompt text with {@code {question}} and {@code {choices}}
 * @param choice one choice, with {@code {label}} and {@code {text}}
 * @param separator between two choices
 * @param examples questions with good responses, put before the question in the same form, or as turns of a conversation; null for none
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record PromptTemplate(
        @JsonProperty(required = true) String prompt,
        @JsonProperty(required = true) String choice,
        @JsonProperty(required = true) String separator,
        List<Example> examples) {
    private static final Pattern PLACEHOLDER = Pattern.compile("\\{(question|choices|label|text)}");

    /** @param choices texts, labelled from A on */
    public record Example(
            @JsonProperty(required = true) String question,
            @JsonProperty(required = true) List<String> choices,
            @JsonProperty(required = true) String response) {
        public Example {
            if (question == null || choices == null || choices.contains(null) || response == null) {
                throw new IllegalArgumentException("an example needs question, choices and response");
            }
        }
    }

    public PromptTemplate {
        // Jackson checks that fields are present, not that they are not null.
        if (prompt == null || choice == null || separator == null) {
            throw new IllegalArgumentException("a prompt template needs prompt, choice and separator");
        }
    }

    /** Without examples. */
    public PromptTemplate(String prompt, String choice, String separator) {
        this(prompt, choice, separator, null);
    }

    public String render(Question question) {
        return render(question.question(), question.choices());
    }

    public String render(String question, List<Question.Choice> choices) {
        StringBuilder rendered = new StringBuilder();
        turns().forEach(turn -> rendered.append(turn.getFirst().stripTrailing())
                .append('\n')
                .append(turn.getLast())
                .append("\n\n"));
        return rendered.append(alone(question, choices)).toString();
    }

    /** For a model with a chat template: the examples are turns before the question. */
    public Prompt conversation(Question question) {
        return new Prompt(alone(question.question(), question.choices()), turns());
    }

    private List<List<String>> turns() {
        List<List<String>> turns = new ArrayList<>();
        for (Example example : examples == null ? List.<Example>of() : examples) {
            List<Question.Choice> labelled = new ArrayList<>();
            example.choices.forEach(
                    text -> labelled.add(new Question.Choice(String.valueOf((char) ('A' + labelled.size())), text)));
            turns.add(List.of(alone(example.question, labelled), example.response.strip()));
        }
        return turns;
    }

    private String alone(String question, List<Question.Choice> choices) {
        StringBuilder listed = new StringBuilder();
        for (Question.Choice each : choices) {
            listed.append(listed.isEmpty() ? "" : separator)
                    .append(fill(choice, "label", each.label(), "text", each.text()));
        }
        return fill(prompt, "question", question, "choices", listed.toString());
    }

    // One pass, so that braces inside a question are never taken for a placeholder.
    private static String fill(String template, String key, String value, String otherKey, String otherValue) {
        Matcher matcher = PLACEHOLDER.matcher(template);
        return matcher.replaceAll(found -> {
            String name = found.group(1);
            String text = name.equals(key) ? value : name.equals(otherKey) ? otherValue : found.group();
            return Matcher.quoteReplacement(text);
        });
    }
}
