package org.calm4j.calm.importer;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import org.calm4j.calm.data.Question;

/**
 * One item of somebody's file, with what is known about it from outside.
 *
 * @param id its own, or its position
 * @param language ISO 639-1
 * @param numbers what numbers for answers mean
 */
public record Source(JsonNode json, String id, String language, AnswerNumbers numbers) {
    String text(String field) {
        return json.path(field).asText("");
    }

    /** @param answer empty where it is not known, as in test sets that keep it to themselves */
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
                throw new Unreadable("two choices are labelled " + choice.label());
            }
        }
        if (!answer.isEmpty()
                && choices.stream().noneMatch(choice -> choice.label().equals(answer))) {
            throw new Unreadable("the answer '" + answer + "' is none of the labels");
        }
        return new Question(id, language, text.strip(), choices, answer.isEmpty() ? null : answer, null);
    }

    static String label(int index) {
        return String.valueOf((char) ('A' + index));
    }
}
