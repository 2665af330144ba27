package org.calm4j.calm.data;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;

/**
 * What a model answered to one question.
 *
 * @param answer the true label; null where it is not known
 * @param prediction the label the model gave; null when it gave none, which a line must say: a file without it holds something else
 * @param group of its question, as {@link Question#group}; null where it stands alone
 * @param confidence in the prediction, in (0,1]; null where nothing says it
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
