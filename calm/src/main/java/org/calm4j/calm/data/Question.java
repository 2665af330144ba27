package org.calm4j.calm.data;

import com.fasterxml.jackson.annotation.JsonInclude;
import java.util.List;

/**
 * A multiple-choice question in one language.
 *
 * @param id the same in all languages
 * @param language ISO 639-1
 * @param answer label of the right choice; null where it is not known
 * @param relation what kind of fact is asked, for tables by kind; may be absent
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record Question(
        String id, String language, String question, List<Choice> choices, String answer, String relation) {
    /** @param label "A", "B", … */
    public record Choice(String label, String text) {}
}
