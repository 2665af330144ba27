package org.calm4j.calm.data;

import static org.calm4j.engine.io.JsonProblem.required;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonUnwrapped;
import java.util.List;

/**
 * A question with the responses that were sampled for it; in JSON the question's fields and {@code responses} side by side.
 *
 * @param prompt what the model was asked; null where it is not known
 * @param history turns of a conversation before the prompt, each what was asked and what was answered; null without
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

    /** With the turns before it; its text is null where it is not known. */
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

    /** The right label; null where it is not known. */
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
     * @param answer the extracted label; null when the response gives no answer (or two)
     * @param logprob natural log of its probability, summed over tokens; null when unknown
     */
    public record Response(
            String text,
            @JsonInclude(JsonInclude.Include.ALWAYS) String answer,
            @JsonInclude(JsonInclude.Include.NON_NULL) Double logprob,

            @JsonProperty("num_tokens") @JsonInclude(JsonInclude.Include.NON_NULL)
            Integer numTokens) {}
}
