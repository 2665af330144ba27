package org.calm4j.calm.data;

import static org.calm4j.engine.io.JsonProblem.required;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonUnwrapped;
import java.util.List;

/**
 * A question with its sampled responses; in JSON the fields of the question and {@code responses} are side by side.
 *
 * @param prompt the prompt the model received; null if unknown
 * @param history earlier turns of the conversation, each a question and its answer; null without
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record Samples(
        @JsonUnwrapped Question asked, String prompt, List<List<String>> history, List<Response> responses) {
    public Samples {
        required(asked.id(), "id");
        required(asked.language(), "language");
        required(responses, "responses");
    }

    public Samples(Question asked, Prompt prompt, List<Response> responses) {
        this(asked, prompt.text(), prompt.history(), responses);
    }

    /** The same question with other responses. */
    public Samples with(List<Response> others) {
        return new Samples(asked, prompt, history, others);
    }

    /** The prompt with the turns before it; its text is null if unknown. */
    public Prompt fullPrompt() {
        return new Prompt(prompt, history);
    }

    public String id() {
        return asked.id();
    }

    public String language() {
        return asked.language();
    }

    public List<Question.Choice> choices() {
        return asked.choices();
    }

    /** The right label; null if unknown. */
    public String answer() {
        return asked.answer();
    }

    public String relation() {
        return asked.relation();
    }

    public String group() {
        return asked.group();
    }

    /**
     * One sampled response.
     *
     * @param answer the extracted label; null if the response gives no answer or two
     * @param logprob natural log of its probability, summed over tokens; null if unknown
     */
    public record Response(
            String text,
            @JsonInclude(JsonInclude.Include.ALWAYS) String answer,
            @JsonInclude(JsonInclude.Include.NON_NULL) Double logprob,

            @JsonProperty("num_tokens") @JsonInclude(JsonInclude.Include.NON_NULL)
            Integer numTokens) {}
}
