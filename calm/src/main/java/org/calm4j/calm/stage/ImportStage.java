package org.calm4j.calm.stage;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.calm4j.calm.data.DataFile;
import org.calm4j.calm.data.OptionsText;
import org.calm4j.calm.data.Question;
import org.calm4j.calm.data.Samples;
import org.calm4j.calm.extract.AnswerExtractor;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Jsonl;

/**
 * Other people's files in, ours out. What they are is recognised by their content: the CALM authors' lists (a question with its options in
 * the text; with {@code pred} they become samples), X-CSQA and CommonsenseQA, MedQA, Alpaca and ShareGPT (which become training texts).
 *
 * <p>An item that cannot be read is counted and shown, never dropped in silence; a file without any that can is bad input.
 *
 * @param language of all items, ISO 639-1; {@code cn} is taken for {@code zh}
 * @param output questions, samples, or lines with {@code prompt} and {@code completion} or {@code messages}
 */
public record ImportStage(List<Path> files, String language, Path output) {
    private static final int EXAMPLES = 3;

    /** What a file holds. */
    public enum Format {
        CALM_QUESTIONS, CALM_SAMPLES, COMMONSENSE_QA, MEDQA, ALPACA, SHAREGPT
    }

    /**
     * @param items that are in the output
     * @param skipped items that could not be read
     * @param problems the first of them, with where they stand and why
     * @param answered share of the responses in which an answer was found; null without responses
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record Summary(Format format, String language, int items, int skipped, List<String> problems, Double answered, Path output) {
    }

    /** A problem of one item. */
    private static final class Unreadable extends Exception {
        private static final long serialVersionUID = 1;

        Unreadable(String message) {
            super(message);
        }
    }

    /** @throws CalmException wrong usage: no such language; bad input: nothing that is known, or items of two formats */
    public Summary run() {
        String code = code(language);
        Map<String, Object> lines = new LinkedHashMap<>();
        List<String> problems = new ArrayList<>();
        Format format = null;
        int position = 0;
        int skipped = 0;
        for (Path file : files) {
            for (DataFile.Item item : DataFile.read(file)) {
                Format found = format(item.json(), item.where());
                // A CALM question whose options are garbled looks like Alpaca.
                found = found == Format.ALPACA && format == Format.CALM_QUESTIONS ? format : found;
                if (format != null && format != found) {
                    throw CalmException.badInput(item.where(), "looks like " + found + ", what came before like " + format
                            + "; import one kind of file at a time");
                }
                format = found;
                String id = item.json().path("id").isValueNode() ? item.json().path("id").asText() : String.valueOf(position);
                position++;
                try {
                    Object line = convert(found, item.json(), id, code);
                    if (lines.putIfAbsent(id, line) != null) {
                        throw new Unreadable("a second item with id " + id);
                    }
                } catch (Unreadable e) {
                    skipped++;
                    if (problems.size() < EXAMPLES) {
                        problems.add(item.where() + ": " + e.getMessage());
                    }
                }
            }
        }
        if (lines.isEmpty()) {
            throw CalmException.badInput(files.getFirst(), problems.isEmpty() ? "has no items" : "no item can be read; the first problem: " + problems.getFirst());
        }
        Jsonl.write(output, lines.values());
        return new Summary(format, code, lines.size(), skipped, problems, answered(lines.values()), output);
    }

    private static String code(String language) {
        String code = language.equals("cn") ? "zh" : language;
        if (!List.of(Locale.getISOLanguages()).contains(code)) {
            throw CalmException.usage("--language '" + language + "' is no ISO 639-1 code, such as en, zh, fr");
        }
        return code;
    }

    private static Double answered(Iterable<?> lines) {
        int all = 0;
        int answered = 0;
        for (Object line : lines) {
            if (line instanceof Samples samples) {
                all += samples.responses().size();
                answered += (int) samples.responses().stream().filter(response -> response.answer() != null).count();
            }
        }
        return all == 0 ? null : (double) answered / all;
    }

    private static Format format(JsonNode item, String where) {
        if (item.path("question").has("stem") && item.path("question").has("choices")) {
            return Format.COMMONSENSE_QA;
        }
        if (item.path("question").isTextual() && item.path("options").isObject()) {
            return Format.MEDQA;
        }
        if (item.path("conversations").isArray()) {
            return Format.SHAREGPT;
        }
        if (item.path("instruction").isTextual() && item.path("output").isTextual()) {
            if (item.path("pred").isArray()) {
                return Format.CALM_SAMPLES;
            }
            return OptionsText.parse(item.path("input").asText("")) == null ? Format.ALPACA : Format.CALM_QUESTIONS;
        }
        throw CalmException.badInput(where, "is none of the known forms: instruction, input, output (and pred); question.stem, question.choices, "
                + "answerKey; question, options, answer_idx; conversations");
    }

    private static Object convert(Format format, JsonNode item, String id, String language) throws Unreadable {
        return switch (format) {
            case CALM_QUESTIONS -> calm(item, id, language);
            case CALM_SAMPLES -> samples(item, id, language);
            case COMMONSENSE_QA -> commonsense(item, id, language);
            case MEDQA -> medqa(item, id, language);
            case ALPACA -> alpaca(item, id, language);
            case SHAREGPT -> shareGpt(item, id, language);
        };
    }

    private static Question calm(JsonNode item, String id, String language) throws Unreadable {
        OptionsText parsed = OptionsText.parse(item.path("input").asText(""));
        if (parsed == null) {
            throw new Unreadable("no options in the text of input");
        }
        String output = item.path("output").asText("");
        String answer = new AnswerExtractor(parsed.choices()).extract(output).label();
        if (answer == null && !output.isBlank()) {
            throw new Unreadable("the output is none of the options: " + output.strip().lines().findFirst().orElse(""));
        }
        return new Question(id, language, parsed.question(), parsed.choices(), answer, null);
    }

    private static Samples samples(JsonNode item, String id, String language) throws Unreadable {
        Question question = calm(item, id, language);
        AnswerExtractor extractor = new AnswerExtractor(question.choices());
        List<Samples.Response> responses = new ArrayList<>();
        for (JsonNode each : item.path("pred")) {
            if (!each.isTextual()) {
                throw new Unreadable("pred has something that is no text");
            }
            responses.add(new Samples.Response(each.asText(), extractor.extract(each.asText()).label(), null, null));
        }
        return Samples.of(question, item.path("instruction").asText() + "\n" + item.path("input").asText(), responses);
    }

    private static Question commonsense(JsonNode item, String id, String language) throws Unreadable {
        String own = item.path("lang").asText(language);
        if (!own.equals(language) && !(own.equals("cn") && language.equals("zh"))) {
            throw new Unreadable("its lang is " + own + ", --language is " + language);
        }
        List<Question.Choice> choices = new ArrayList<>();
        for (JsonNode choice : item.path("question").path("choices")) {
            choices.add(new Question.Choice(choice.path("label").asText(), choice.path("text").asText()));
        }
        return question(id, language, item.path("question").path("stem").asText(), choices, item.path("answerKey").asText(""));
    }

    private static Question medqa(JsonNode item, String id, String language) throws Unreadable {
        List<Question.Choice> choices = new ArrayList<>();
        item.path("options").properties().forEach(option -> choices.add(new Question.Choice(option.getKey(), option.getValue().asText())));
        String answer = item.path("answer_idx").asText("");
        if (answer.isEmpty() && item.has("answer")) {
            answer = choices.stream().filter(choice -> choice.text().equals(item.path("answer").asText())).map(Question.Choice::label)
                    .findFirst().orElse("?");
        }
        return question(id, language, item.path("question").asText(), choices, answer);
    }

    /** @param answer empty where it is not known, as in test sets that keep it to themselves */
    private static Question question(String id, String language, String text, List<Question.Choice> choices, String answer) throws Unreadable {
        if (choices.size() < 2) {
            throw new Unreadable("fewer than two choices");
        }
        if (!answer.isEmpty() && choices.stream().noneMatch(choice -> choice.label().equals(answer))) {
            throw new Unreadable("the answer '" + answer + "' is none of the labels");
        }
        return new Question(id, language, text, choices, answer.isEmpty() ? null : answer, null);
    }

    private static ObjectNode alpaca(JsonNode item, String id, String language) {
        String input = item.path("input").asText("");
        ObjectNode line = line(id, language);
        line.put("prompt", item.path("instruction").asText() + (input.isEmpty() ? "" : "\n" + input));
        return line.put("completion", item.path("output").asText());
    }

    private static ObjectNode shareGpt(JsonNode item, String id, String language) throws Unreadable {
        ObjectNode line = line(id, language);
        for (JsonNode turn : item.path("conversations")) {
            String role = switch (turn.path("from").asText()) {
                case "human", "user" -> "user";
                case "gpt", "assistant" -> "assistant";
                case "system" -> "system";
                default -> throw new Unreadable("a turn is from '" + turn.path("from").asText() + "'; known: human, gpt, system");
            };
            line.withArray("messages").addObject().put("role", role).put("content", turn.path("value").asText());
        }
        if (!line.has("messages")) {
            throw new Unreadable("a conversation without turns");
        }
        return line;
    }

    private static ObjectNode line(String id, String language) {
        return JsonNodeFactory.instance.objectNode().put("id", id).put("language", language);
    }
}
