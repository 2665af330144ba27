package org.calm4j.calm.importer;

import com.fasterxml.jackson.databind.JsonNode;
import java.text.Normalizer;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.calm4j.calm.data.Question;

/**
 * Questions whose text, options and answer are fields of their own, under various names: MMLU, MMMLU, Global-MMLU, MMLU-Pro,
 * KMMLU, CMMLU, C-Eval, MedMCQA, INCLUDE, M3Exam, AGIEval, RACE, LogiQA, HellaSwag, SWAG, COPA, XCOPA, XStoryCloze, WinoGrande, SIQA, PIQA,
 * CosmosQA.
 */
final class FieldLayout {
    private static final int MOST_OPTIONS = 26;
    private static final String[] LISTS = {"choices", "options", "endings"};
    /** Names of option fields (%l a letter, %n a number from 1, %z one from 0), each with the usual number of the first option as an answer. */
    private static final List<String> FAMILIES = List.of(
            "%l",
            "option_%l",
            "op%l",
            "choice_%l",
            "answer%l",
            "option%n",
            "option_%n",
            "choice%n",
            "choice_%n",
            "sol%n",
            "sentence_quiz%n",
            "ending%z",
            "answer%z");

    private static final Map<String, Integer> USUAL = Map.of(
            "choices",
            0,
            "options",
            0,
            "endings",
            0,
            "answer%l",
            1,
            "option%n",
            1,
            "choice%n",
            0,
            "sol%n",
            0,
            "sentence_quiz%n",
            1,
            "ending%z",
            0,
            "answer%z",
            0);
    private static final String[] CONTEXTS = {
        "passage",
        "article",
        "context",
        "background_description",
        "input_sentence_1",
        "input_sentence_2",
        "input_sentence_3",
        "input_sentence_4",
        "premise"
    };
    private static final String[] QUESTIONS = {
        "question", "question_text", "query", "goal", "ctx", "startphrase", "sentence", "sent1"
    };
    private static final String[] ANSWERS = {
        "answer",
        "answerkey",
        "answer_idx",
        "answer_index",
        "correct_option",
        "correct_answer",
        "cop",
        "answer_text",
        "label",
        "gold",
        "target",
        "correct",
        "answer_right_ending"
    };
    private static final Pattern LABEL = Pattern.compile("[\\s(\\[（【]*([A-Za-zＡ-Ｚａ-ｚ])[\\s)\\]）】.:、．。：]*");
    private static final Pattern NUMBER = Pattern.compile("-?[0-9]{1,9}");

    /** Options by position, without those that have no text. */
    private record Options(Map<Integer, String> texts, int places, String family) {
        boolean hasGap() {
            return texts.keySet().stream().anyMatch(place -> place >= texts.size());
        }
    }

    private FieldLayout() {}

    static boolean isQuestion(JsonNode item) {
        return !text(item).isBlank() && options(item).places > 1;
    }

    static boolean isTable(JsonNode item) {
        String family = options(item).family;
        return field(item, "question").isTextual()
                && (family.equals("%l") || family.equals("option_%l") || family.equals("choices"));
    }

    static Question read(Source item) throws Unreadable {
        Options options = options(item.json());
        List<Question.Choice> choices = new ArrayList<>();
        options.texts.forEach((place, text) -> choices.add(new Question.Choice(Source.label(place), text)));
        return item.question(text(item.json()), choices, answer(item, choices, options.places));
    }

    /** Whether an option without text comes before one with text. */
    static boolean hasGap(JsonNode item) {
        return options(item).hasGap();
    }

    /** The number that is an item's answer; null if its answer is not a number. */
    static AnswerNumbers.Numbered numbered(JsonNode item) {
        Options options = options(item);
        JsonNode given = given(item);
        String answer = given.asText("").strip();
        if (options.places < 2 || !NUMBER.matcher(answer).matches() || answer.startsWith("-")) {
            return null;
        }
        boolean list = !options.family.contains("%");
        Integer usual = item.has("Human Accuracy")
                ? Integer.valueOf(1)
                : item.has("answer_index") || item.has("correct_option")
                        ? Integer.valueOf(0)
                        : USUAL.get(options.family);
        return new AnswerNumbers.Numbered(
                Integer.parseInt(answer),
                options.places,
                usual,
                list && given.isTextual(),
                options.texts.containsValue(answer));
    }

    private static String answer(Source item, List<Question.Choice> choices, int places) throws Unreadable {
        JsonNode given = given(item.json());
        if (given.isArray() && given.size() > 1) {
            throw new Unreadable("more than one answer: " + given);
        }
        String answer = (given.isArray() ? given.path(0) : given).asText("").strip();
        boolean number = NUMBER.matcher(answer).matches();
        String label = "";
        if (number && !item.numbers().texts() && item.numbers().base() != null) {
            int place = Integer.parseInt(answer) - item.numbers().base();
            // Placeholders of test sets that do not publish their answers.
            if (answer.equals("-1")) {
                return "";
            }
            if (place < 0 || place >= places) {
                throw new Unreadable("the answer " + answer + " is not one of " + places + " options, counted from "
                        + item.numbers().base() + " on");
            }
            label = Source.label(place);
        } else if (!answer.isEmpty()) {
            Matcher letter = LABEL.matcher(answer);
            String meant = letter.matches()
                    ? Normalizer.normalize(letter.group(1), Normalizer.Form.NFKC)
                            .toUpperCase(Locale.ROOT)
                    : "";
            label = choices.stream()
                    .map(Question.Choice::label)
                    .filter(meant::equals)
                    .findFirst()
                    .or(() -> choices.stream()
                            .filter(choice -> choice.text().equals(answer))
                            .map(Question.Choice::label)
                            .findFirst())
                    .orElse(answer.equals("-1") ? "" : answer);
        }
        JsonNode index = item.json().path("answer_index");
        if (index.isInt()
                && !label.isEmpty()
                && given != index
                && !Source.label(index.asInt()).equals(label)) {
            throw new Unreadable("the answer is " + label + ", but answer_index " + index.asInt() + " is "
                    + Source.label(index.asInt()));
        }
        return label;
    }

    private static JsonNode given(JsonNode item) {
        for (String name : ANSWERS) {
            JsonNode given = field(item, name);
            if (given.isValueNode() && !given.isNull() && !given.asText().isBlank()
                    || given.isArray() && !given.isEmpty()) {
                return given;
            }
        }
        return item.path("");
    }

    private static Options options(JsonNode item) {
        for (String name : LISTS) {
            JsonNode list = field(item, name);
            if (list.isArray() && list.size() > 1 && list.valueStream().allMatch(each -> each.isValueNode())) {
                return options(new ArrayList<>(list.valueStream().toList()), name);
            }
        }
        for (String family : FAMILIES) {
            List<JsonNode> found = new ArrayList<>();
            for (int place = 0; place < MOST_OPTIONS; place++) {
                JsonNode option = field(
                        item,
                        family.replace("%l", Source.label(place))
                                .replace("%n", String.valueOf(place + 1))
                                .replace("%z", String.valueOf(place)));
                if (option.isMissingNode()) {
                    break;
                }
                found.add(option);
            }
            if (found.size() > 1) {
                return options(found, family);
            }
        }
        return new Options(Map.of(), 0, "");
    }

    private static Options options(List<JsonNode> nodes, String family) {
        Map<Integer, String> texts = new TreeMap<>();
        for (int place = 0; place < nodes.size() && place < MOST_OPTIONS; place++) {
            String text =
                    nodes.get(place).isNull() ? "" : nodes.get(place).asText().strip();
            if (!text.isEmpty()) {
                texts.put(place, text);
            }
        }
        // "A. …" or "(1) …" in each of the texts.
        for (String label : List.of("[A-Za-zＡ-Ｚ]", "[0-9]")) {
            Pattern own = Pattern.compile("(?s)[(（\\[]?(" + label + ")[)）\\].:、．：]\\s*(\\S.*)");
            if (!texts.isEmpty()
                    && texts.entrySet().stream().allMatch(each -> {
                        Matcher matcher = own.matcher(each.getValue());
                        return matcher.matches()
                                && List.of(Source.label(each.getKey()), String.valueOf(each.getKey() + 1))
                                        .contains(Normalizer.normalize(matcher.group(1), Normalizer.Form.NFKC)
                                                .toUpperCase(Locale.ROOT));
                    })) {
                texts.replaceAll((place, text) -> own.matcher(text).replaceFirst("$2"));
            }
        }
        return new Options(
                texts,
                texts.keySet().stream().mapToInt(place -> place + 1).max().orElse(0),
                family);
    }

    private static String text(JsonNode item) {
        List<String> parts = new ArrayList<>();
        StringBuilder story = new StringBuilder();
        for (String name : CONTEXTS) {
            JsonNode part = field(item, name);
            String text = part.isTextual() ? part.asText().strip() : "";
            if (name.startsWith("input_sentence")) {
                story.append(story.isEmpty() || text.isEmpty() ? "" : " ").append(text);
            } else if (!text.isEmpty()) {
                parts.add(text);
            }
        }
        if (!story.isEmpty()) {
            parts.add(story.toString());
        }
        for (String name : QUESTIONS) {
            if (field(item, name).isTextual() && !field(item, name).asText().isBlank()) {
                String text = field(item, name).asText().strip();
                // COPA asks for the cause or the effect.
                parts.add(text.matches("cause|effect") ? "(" + text + "?)" : text);
                break;
            }
        }
        return String.join("\n\n", parts);
    }

    /** A field by its name in any case. */
    private static JsonNode field(JsonNode item, String name) {
        for (var field : item.properties()) {
            if (field.getKey().strip().equalsIgnoreCase(name)) {
                return field.getValue();
            }
        }
        return item.path("");
    }
}
