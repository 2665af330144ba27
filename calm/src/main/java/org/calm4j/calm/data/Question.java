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
 * @param group what it shares with other questions, such as the fact or the passage that they are about: intervals take questions of one
 *     group for one; absent where it stands alone
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record Question(
        String id,
        String language,
        String question,
        List<Choice> choices,
        String answer,
        String relation,
        String group) {
    /** One that stands alone. */
    public Question(String id, String language, String question, List<Choice> choices, String answer, String relation) {
        this(id, language, question, choices, answer, relation, null);
    }

    /** @param label "A", "B", … */
    public record Choice(String label, String text) {}
}
