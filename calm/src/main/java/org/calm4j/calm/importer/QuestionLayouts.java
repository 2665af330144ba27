package org.calm4j.calm.importer;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.calm4j.calm.data.Question;

/** Published sets of multiple-choice questions; {@link Layout} says which fields each has. */
final class QuestionLayouts {
    private static final int MOST_OPTIONS = 26;

    private QuestionLayouts() {}

    static boolean isCommonsense(JsonNode item) {
        return item.path("question").has("stem") && item.path("question").has("choices")
                || (item.path("question").isTextual()
                                || item.path("question_stem").isTextual())
                        && item.path("choices").path("label").isArray()
                        && item.path("choices").path("text").isArray();
    }

    /**
     * X-CSQA, CommonsenseQA, ARC, OpenBookQA: {@code question.stem}, {@code question.choices}, {@code answerKey}; the choices as objects
     * or as two lists. On the hub the question is a text, {@code question} or {@code question_stem}, with the choices beside it.
     */
    static Question commonsense(Source item) throws Unreadable {
        JsonNode question = item.json().path(item.json().has("question") ? "question" : "question_stem");
        JsonNode listed = question.isTextual() ? item.json().path("choices") : question.path("choices");
        List<Question.Choice> choices = new ArrayList<>();
        for (int i = 0; i < (listed.isArray() ? listed : listed.path("label")).size(); i++) {
            choices.add(
                    listed.isArray()
                            ? new Question.Choice(
                                    listed.get(i).path("label").asText(),
                                    listed.get(i).path("text").asText())
                            : new Question.Choice(
                                    listed.path("label").get(i).asText(),
                                    listed.path("text").path(i).asText()));
        }
        return item.question(
                question.isTextual() ? question.asText() : question.path("stem").asText(),
                choices,
                item.text("answerKey").strip());
    }

    /**
     * MedQA: {@code question}, {@code options} from label to text, or a list of {@code key} and {@code value}, {@code answer_idx}, or the
     * text of {@code answer}.
     */
    static Question medqa(Source item) throws Unreadable {
        List<Question.Choice> choices = new ArrayList<>();
        JsonNode options = item.json().path("options");
        options.properties()
                .forEach(option -> choices.add(
                        new Question.Choice(option.getKey(), option.getValue().asText())));
        for (int i = 0; options.isArray() && i < options.size(); i++) {
            choices.add(new Question.Choice(
                    options.get(i).path("key").asText(),
                    options.get(i).path("value").asText()));
        }
        String answer = item.text("answer_idx");
        if (answer.isEmpty() && item.json().has("answer")) {
            answer = choices.stream()
                    .filter(choice -> choice.text().equals(item.text("answer")))
                    .map(Question.Choice::label)
                    .findFirst()
                    .orElse(item.text("answer"));
        }
        return item.question(item.text("question"), choices, answer);
    }

    /** Belebele: {@code flores_passage}, {@code question}, {@code mc_answer1} to {@code mc_answer4}, {@code correct_answer_num}. */
    static Question belebele(Source item) throws Unreadable {
        List<Question.Choice> choices = new ArrayList<>();
        for (int i = 1; item.json().has("mc_answer" + i); i++) {
            choices.add(new Question.Choice(Source.label(i - 1), item.text("mc_answer" + i)));
        }
        String number = item.text("correct_answer_num");
        String answer = number.matches("[1-9]") ? Source.label(Integer.parseInt(number) - 1) : number;
        return item.question(
                item.text("flores_passage").strip() + "\n\n"
                        + item.text("question").strip(),
                choices,
                answer);
    }

    /** An id that is the same in all languages. */
    static String belebeleId(JsonNode item) {
        String link = item.path("link").asText();
        return link + "#" + item.path("question_number").asText();
    }

    /**
     * BMLAMA: {@code Prompt} with a {@code <mask>}, {@code Ans}, {@code Candidate Ans} joined by ", ". The answer comes last in these
     * files; the candidates are rotated by a number that depends on the id alone, so that they stay parallel and the position reveals
     * nothing.
     */
    static Question bmlama(Source item) throws Unreadable {
        // A comma without a space belongs to a name.
        List<String> candidates = List.of(item.text("Candidate Ans").strip().split(",\\s+"));
        if (candidates.size() > MOST_OPTIONS) {
            throw new Unreadable(candidates.size() + " candidates, but the maximum is " + MOST_OPTIONS);
        }
        List<String> right = candidates.contains(item.text("Ans").strip())
                ? List.of(item.text("Ans").strip())
                : List.of(item.text("Ans").strip().split(",\\s+")).stream()
                        .filter(candidates::contains)
                        .toList();
        if (right.size() != 1 || candidates.indexOf(right.getFirst()) != candidates.lastIndexOf(right.getFirst())) {
            throw new Unreadable("the answer '" + item.text("Ans") + "' is "
                    + (right.isEmpty() ? "none" : "more than one") + " of the candidates");
        }
        return turned(
                item, item.text("Prompt").replace("<mask>", "___"), candidates, candidates.indexOf(right.getFirst()));
    }

    /** TruthfulQA with one right choice, which comes first in the file: {@code question}, {@code mc1_targets}. */
    static Question truthful(Source item) throws Unreadable {
        JsonNode targets = item.json().path("mc1_targets");
        List<String> candidates =
                targets.path("choices").valueStream().map(JsonNode::asText).toList();
        List<Integer> right = IntStream.range(0, candidates.size())
                .filter(i -> targets.path("labels").path(i).asInt() == 1)
                .boxed()
                .toList();
        if (right.size() != 1 || candidates.size() > MOST_OPTIONS) {
            throw new Unreadable(right.size() + " of " + candidates.size() + " choices are right");
        }
        return turned(item, item.text("question"), candidates, right.getFirst());
    }

    /** The choices rotated by a number that depends on the id alone. */
    private static Question turned(Source item, String question, List<String> candidates, int right) throws Unreadable {
        int turn = Math.floorMod(item.id().hashCode() * 0x9E3779B9 >>> 8, candidates.size());
        List<Question.Choice> choices = new ArrayList<>();
        String answer = "";
        for (int i = 0; i < candidates.size(); i++) {
            int place = (i + turn) % candidates.size();
            choices.add(new Question.Choice(Source.label(i), candidates.get(place)));
            answer = place == right ? Source.label(i) : answer;
        }
        return item.question(question, choices, answer);
    }

    /** Our own. */
    static Question own(Source item) throws Unreadable {
        List<Question.Choice> choices = new ArrayList<>();
        item.json()
                .path("choices")
                .forEach(choice -> choices.add(new Question.Choice(
                        choice.path("label").asText(), choice.path("text").asText())));
        return item.question(item.text("question"), choices, item.text("answer"));
    }
}
