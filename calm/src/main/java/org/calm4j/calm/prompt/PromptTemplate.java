package org.calm4j.calm.prompt;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.calm4j.calm.data.Question;

/**
 * How a question is put to the model in one language.
 *
 * @param prompt text with {@code {question}} and {@code {choices}}
 * @param choice one choice, with {@code {label}} and {@code {text}}
 * @param separator what stands between two choices
 */
public record PromptTemplate(@JsonProperty(required = true) String prompt, @JsonProperty(required = true) String choice,
        @JsonProperty(required = true) String separator) {
    private static final Pattern PLACEHOLDER = Pattern.compile("\\{(question|choices|label|text)}");

    public PromptTemplate {
        // Jackson sees to missing fields, not to null in them.
        if (prompt == null || choice == null || separator == null) {
            throw new IllegalArgumentException("a prompt template needs prompt, choice and separator");
        }
    }

    public String render(Question question) {
        return render(question.question(), question.choices());
    }

    public String render(String question, List<Question.Choice> choices) {
        StringBuilder listed = new StringBuilder();
        for (Question.Choice each : choices) {
            listed.append(listed.isEmpty() ? "" : separator).append(fill(choice, "label", each.label(), "text", each.text()));
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
