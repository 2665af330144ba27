package org.calm4j.calm.layout;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.calm4j.calm.data.OptionsText;
import org.calm4j.calm.data.Prompt;
import org.calm4j.calm.data.Question;
import org.calm4j.calm.data.Samples;

/**
 * The lists of the CALM authors: {@code instruction}, {@code input} with the options in its text, {@code output} with the answer's label or
 * the whole option, and {@code pred} where responses were sampled. Their answers are left for the extractor.
 */
final class CalmLayout {
    private static final Pattern OUTPUT = Pattern.compile("\\s*[(（\\[【]?\\s*([A-Za-zＡ-Ｚ])\\s*(?:[)）\\]】.:：、．。](.*)|)", Pattern.DOTALL);

    private CalmLayout() {
    }

    static boolean isSamples(JsonNode item) {
        return isList(item) && item.has("pred");
    }

    static boolean isQuestion(JsonNode item) {
        return isList(item) && OptionsText.looksLike(item.path("input").asText(""));
    }

    private static boolean isList(JsonNode item) {
        return item.path("instruction").isTextual() && item.path("output").isTextual();
    }

    static Question question(Source item) throws Unreadable {
        OptionsText parsed = OptionsText.parse(item.text("input"));
        if (parsed == null) {
            throw new Unreadable("no options A, B, … without a gap in the text of input");
        }
        return item.question(parsed.question(), parsed.choices(), answer(item.text("output"), parsed.choices()));
    }

    private static String answer(String output, List<Question.Choice> choices) throws Unreadable {
        if (output.isBlank()) {
            return "";
        }
        Matcher matcher = OUTPUT.matcher(output);
        String label = matcher.matches() ? OptionsText.half(matcher.group(1).toUpperCase(Locale.ROOT)) : "";
        for (Question.Choice choice : choices) {
            if (choice.label().equals(label) || choice.text().equals(output.strip())) {
                return choice.label();
            }
        }
        throw new Unreadable("the output is none of the options: " + output.strip().lines().findFirst().orElse(""));
    }

    static Samples samples(Source item) throws Unreadable {
        JsonNode pred = item.json().path("pred");
        List<Samples.Response> responses = new ArrayList<>();
        for (JsonNode each : pred.isTextual() ? List.of(pred) : pred) {
            if (!each.isTextual()) {
                throw new Unreadable("pred has something that is no text");
            }
            responses.add(new Samples.Response(each.asText(), null, null, null));
        }
        return Samples.of(question(item), new Prompt(item.text("instruction") + "\n" + item.text("input"), null), responses);
    }
}
