package org.calm4j.calm.data;

import com.fasterxml.jackson.annotation.JsonInclude;

/**
 * What a model answered to one question.
 *
 * @param answer the true label; null where it is not known
 * @param prediction the label the model gave; null when it gave none
 */
public record Prediction(String id, String language, @JsonInclude(JsonInclude.Include.NON_NULL) String answer, String prediction) {
}
