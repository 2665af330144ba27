package org.calm4j.calm.importer;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import org.calm4j.calm.data.OptionsText;
import org.calm4j.calm.data.Prompt;
import org.calm4j.calm.data.Question;
import org.calm4j.calm.data.Samples;

/**
 * The lists of the CALM authors: {@code instruction}, {@code input} with the options in its text, {@code output} with the answer's label or
 * the whole option, and {@code pred} with sampled responses, if any. Their answers are left to the extractor.
 */
final class CalmLayout {
    private CalmLayout() {}

    static boolean isSamples(JsonNode item) {
        return isList(item) && item.has("pred");
    }

    static boolean isQuestion(JsonNode item) {
        if (!isList(item)) {
            return false;
        }
        String input = item.path("input").asText("");
        // Steps and lists are numbered as well: then the output must be one of the options.
        OptionsText parsed = OptionsText.looksLike(input) ? null : OptionsText.parse(input);
        return OptionsText.looksLike(input)
                || parsed != null && parsed.named(item.path("output").asText()) != null;
    }

    private static boolean isList(JsonNode item) {
        return item.path("instruction").isTextual() && item.path("output").isTextual();
    }

    static Question question(Source item) throws Unreadable {
        OptionsText parsed = OptionsText.parse(item.text("input"));
        if (parsed == null) {
            throw new Unreadable("the text of input has no list of options A, B, … without a gap");
        }
        String output = item.text("output");
        Question.Choice named = parsed.named(output);
        if (named == null && !output.isBlank()) {
            throw new Unreadable("the output is not one of the options: "
                    + output.strip().lines().findFirst().orElse(""));
        }
        return item.question(parsed.question(), parsed.choices(), named == null ? "" : named.label());
    }

    static Samples samples(Source item) throws Unreadable {
        JsonNode pred = item.json().path("pred");
        List<Samples.Response> responses = new ArrayList<>();
        for (JsonNode each : pred.isTextual() ? List.of(pred) : pred) {
            if (!each.isTextual()) {
                throw new Unreadable("pred has an element that is not text");
            }
            responses.add(new Samples.Response(each.asText(), null, null, null));
        }
        return new Samples(
                question(item), new Prompt(item.text("instruction") + "\n" + item.text("input"), null), responses);
    }
}
