package org.calm4j.calm.data;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.List;

/**
 * A question with the responses that were sampled for it; in JSON the question's fields and {@code responses} side by side.
 *
 * @param prompt what the model was asked; null where it is not known
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record Samples(String id, String language, String question, List<Question.Choice> choices, String answer, String relation,
        String prompt, List<Response> responses) {

    /** @param prompt may be null */
    public static Samples of(Question question, String prompt, List<Response> responses) {
        return new Samples(question.id(), question.language(), question.question(), question.choices(), question.answer(),
                question.relation(), prompt, responses);
    }

    public Question asQuestion() {
        return new Question(id, language, question, choices, answer, relation);
    }

    /**
     * One sampled response.
     *
     * @param answer the extracted label; null when the response gives no answer (or two)
     * @param logprob natural log of its probability, summed over tokens; null when unknown
     */
    public record Response(String text, @JsonInclude(JsonInclude.Include.ALWAYS) String answer,
            @JsonInclude(JsonInclude.Include.NON_NULL) Double logprob,
            @JsonProperty("num_tokens") @JsonInclude(JsonInclude.Include.NON_NULL) Integer numTokens) {
    }
}
