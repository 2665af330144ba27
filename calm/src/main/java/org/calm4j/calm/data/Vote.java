package org.calm4j.calm.data;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.Map;

/**
 * What all samples of all languages say about one question.
 *
 * @param answer label of the winner; null without a winner
 * @param votes label to count, over all languages
 * @param byLanguage language to label to count
 * @param agreement share of the valid answers that the winner has, in [0,1]
 * @param tie whether two labels shared the first place
 */
public record Vote(String id, String answer, Map<String, Integer> votes,
        @JsonProperty("by_language") Map<String, Map<String, Integer>> byLanguage, double agreement, boolean tie) {
}
