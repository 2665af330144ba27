package org.calm4j.calm.data;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonPropertyOrder;
import java.util.List;

/**
 * One question in two languages with the same chosen and the same rejected answer, for Direct Consistency Optimization.
 *
 * @param weight a factor on the pair's loss; null for 1
 * @param history1 turns of a conversation before the prompt; null without
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
@JsonPropertyOrder({
    "id",
    "language_1",
    "language_2",
    "prompt_1",
    "chosen_1",
    "rejected_1",
    "prompt_2",
    "chosen_2",
    "rejected_2",
    "chosen_answer",
    "rejected_answer",
    "weight",
    "history_1",
    "history_2"
})
public record TwoLanguagePair(
        String id,
        @JsonProperty("language_1") String language1,
        @JsonProperty("prompt_1") String prompt1,
        @JsonProperty("chosen_1") String chosen1,
        @JsonProperty("rejected_1") String rejected1,
        @JsonProperty("language_2") String language2,
        @JsonProperty("prompt_2") String prompt2,
        @JsonProperty("chosen_2") String chosen2,
        @JsonProperty("rejected_2") String rejected2,
        @JsonProperty("chosen_answer") String chosenAnswer,
        @JsonProperty("rejected_answer") String rejectedAnswer,
        Double weight,
        @JsonProperty("history_1") List<List<String>> history1,
        @JsonProperty("history_2") List<List<String>> history2) {}
