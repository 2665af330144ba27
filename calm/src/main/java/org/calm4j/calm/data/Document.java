package org.calm4j.calm.data;

import com.fasterxml.jackson.annotation.JsonInclude;

/**
 * One text to pretrain on: either {@code text}, all of it learned, or a {@code prompt} that is read and a {@code completion} that is
 * learned.
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record Document(String text, String prompt, String completion) {
    public static Document of(String text) {
        return new Document(text, null, null);
    }

    public static Document of(String prompt, String completion) {
        return new Document(null, prompt, completion);
    }
}
