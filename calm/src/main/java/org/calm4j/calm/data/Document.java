package org.calm4j.calm.data;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.List;

/**
 * One text to train on: either {@code text}, learned as a whole, or a {@code prompt}, only read, and a {@code completion}, learned.
 *
 * @param chosenSource of the pair whose chosen response this is, whose prompt is written as in sampling; null for other texts
 * @param history turns of a conversation before the prompt; null without
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record Document(
        String text,
        String prompt,
        String completion,
        @JsonProperty("chosen_source") String chosenSource,
        List<List<String>> history) {
    public static Document of(String text) {
        return new Document(text, null, null, null, null);
    }

    public static Document of(String prompt, String completion) {
        return new Document(null, prompt, completion, null, null);
    }

    /** The chosen response of a pair. */
    public static Document of(Pair pair) {
        return new Document(null, pair.prompt(), pair.chosen(), pair.chosenSource(), pair.history());
    }
}
