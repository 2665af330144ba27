package org.calm4j.calm.importer;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import org.calm4j.calm.data.Question;

/**
 * One item of an imported file, with what is known about it from elsewhere.
 *
 * @param id its own, or its position
 * @param language ISO 639-1
 * @param numbers what numbers mean as answers
 */
public record Source(JsonNode json, String id, String language, AnswerNumbers numbers) {
    String text(String field) {
        return json.path(field).asText("");
    }

    /** @param answer empty if unknown, as in test sets with unpublished answers */
    Question question(String text, List<Question.Choice> choices, String answer) throws Unreadable {
        if (text.isBlank()) {
            throw new Unreadable("the question is empty");
        }
        if (choices.size() < 2) {
            throw new Unreadable("fewer than two choices");
        }
        for (Question.Choice choice : choices) {
            if (choice.label().isBlank() || choice.text().isBlank()) {
                throw new Unreadable("choice " + choice.label() + " is empty");
            }
            if (choices.stream()
                            .filter(other -> other.label().equals(choice.label()))
                            .count()
                    > 1) {
                throw new Unreadable("two choices have the label " + choice.label());
            }
        }
        if (!answer.isEmpty()
                && choices.stream().noneMatch(choice -> choice.label().equals(answer))) {
            throw new Unreadable("the answer '" + answer + "' is not one of the labels");
        }
        return new Question(id, language, text.strip(), choices, answer.isEmpty() ? null : answer, null);
    }

    static String label(int index) {
        return String.valueOf((char) ('A' + index));
    }
}
