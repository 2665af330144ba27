package org.calm4j.calm.metric;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import java.util.Map;

/**
 * Responses of one kind, such as those that go through another language.
 *
 * @param n how many
 * @param share of all responses
 * @param accuracy share of those to questions with a known answer that are right; null without any
 * @param agreement share of them that say what the vote says, of questions with a winner; where nothing was voted on, the mean share of the
 *     other languages whose answer to the same question is theirs; null without any
 * @param unanswered share without an answer
 * @param byLanguage language to this kind's share of the responses in it
 * @param byRelation kind of question, where questions have one, to this kind's share of the responses to it
 */
@JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
@JsonInclude(JsonInclude.Include.NON_NULL)
public record ResponseKind(
        int n,
        double share,
        Double accuracy,
        Double agreement,
        double unanswered,
        Map<String, Double> byLanguage,
        Map<String, Double> byRelation) {}
