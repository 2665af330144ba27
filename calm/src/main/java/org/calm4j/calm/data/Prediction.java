package org.calm4j.calm.data;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;

/**
 * What a model answered to one question.
 *
 * @param answer the true label; null if unknown
 * @param prediction the label that the model gave; null if it gave none. The field must be present: a file without it is something else
 * @param group of its question, as {@link Question#group}; null if it has none
 * @param confidence of the prediction, in (0,1]; null if unknown
 */
public record Prediction(
        String id,
        String language,
        @JsonInclude(JsonInclude.Include.NON_NULL) String answer,
        @JsonProperty(required = true) String prediction,
        @JsonInclude(JsonInclude.Include.NON_NULL) String group,
        @JsonInclude(JsonInclude.Include.NON_NULL) Double confidence) {
    public Prediction(String id, String language, String answer, String prediction) {
        this(id, language, answer, prediction, null, null);
    }
}
