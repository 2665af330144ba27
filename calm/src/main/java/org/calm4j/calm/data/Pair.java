package org.calm4j.calm.data;

import static org.calm4j.engine.io.JsonProblem.required;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.List;

/**
 * A preference pair for DPO.
 *
 * @param chosenSource {@code sampled}, {@code translated}, {@code template} or {@code option}
 * @param weight a factor on the pair's loss; null for 1
 * @param history turns of a conversation before the prompt; null without
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record Pair(
        String id,
        String language,
        String prompt,
        String chosen,
        String rejected,
        @JsonProperty("chosen_answer") String chosenAnswer,

        @JsonProperty("rejected_answer") @JsonInclude(JsonInclude.Include.ALWAYS)
        String rejectedAnswer,

        @JsonProperty("chosen_source") String chosenSource,
        Double weight,
        List<List<String>> history) {
    public Pair {
        required(id, "id");
        required(language, "language");
        required(prompt, "prompt");
        required(chosen, "chosen");
        required(rejected, "rejected");
    }

    /** The prompt with the turns before it. */
    public Prompt asked() {
        return new Prompt(prompt, history);
    }
}
