package org.calm4j.calm.data;

import static org.calm4j.engine.io.JsonProblem.required;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.List;

/**
 * A question with the responses that were sampled for it; in JSON the question's fields and {@code responses} side by side.
 *
 * @param prompt what the model was asked; null where it is not known
 * @param history turns of a conversation before the prompt, each what was asked and what was answered; null without
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record Samples(
        String id,
        String language,
        String question,
        List<Question.Choice> choices,
        String answer,
        String relation,
        String group,
        String prompt,
        List<List<String>> history,
        List<Response> responses) {
    public Samples {
        required(id, "id");
        required(language, "language");
        required(responses, "responses");
    }

    public static Samples of(Question question, Prompt prompt, List<Response> responses) {
        return new Samples(
                question.id(),
                question.language(),
                question.question(),
                question.choices(),
                question.answer(),
                question.relation(),
                question.group(),
                prompt.text(),
                prompt.history(),
                responses);
    }

    /** The same question with other responses. */
    public Samples with(List<Response> others) {
        return of(asQuestion(), asked(), others);
    }

    /** What the model was asked; its text is null where it is not known. */
    public Prompt asked() {
        return new Prompt(prompt, history);
    }

    public Question asQuestion() {
        return new Question(id, language, question, choices, answer, relation, group);
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
