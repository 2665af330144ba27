package org.calm4j.calm.data;

import com.fasterxml.jackson.annotation.JsonInclude;
import java.util.List;
import org.calm4j.engine.CalmException;

/**
 * A multiple-choice question in one language.
 *
 * @param id the same in all languages
 * @param language ISO 639-1
 * @param answer label of the right choice; null if unknown
 * @param relation the kind of fact asked for, for tables by kind; may be absent
 * @param group what it shares with other questions, such as a fact or passage: intervals count the questions of one group as one; absent for
 *     a question of its own
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
    /** A question without a group. */
    public Question(String id, String language, String question, List<Choice> choices, String answer, String relation) {
        this(id, language, question, choices, answer, relation, null);
    }

    /** @param label "A", "B", … */
    public record Choice(String label, String text) {}

    public Question withId(String other) {
        return new Question(other, language, question, choices, answer, relation, group);
    }

    /**
     * Checks what the JSON types leave open.
     *
     * @param where file and line, for messages
     * @throws CalmException bad input: a field or choice is missing, or no choice has the answer's label
     */
    public void check(String where) {
        if (id == null || language == null || question == null || choices == null || choices.size() < 2) {
            throw CalmException.badInput(where, "a question needs id, language, question and two choices or more");
        }
        for (Choice choice : choices) {
            if (choice == null || choice.label() == null || choice.text() == null) {
                throw CalmException.badInput(where, "a choice needs label and text");
            }
        }
        if (answer != null
                && choices.stream().noneMatch(choice -> choice.label().equals(answer))) {
            throw CalmException.badInput(where, "answer " + answer + " is not one of the labels");
        }
    }
}
