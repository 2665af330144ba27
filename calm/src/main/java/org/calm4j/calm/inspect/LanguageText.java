package org.calm4j.calm.inspect;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.List;
import org.calm4j.calm.data.PromptLines;
import org.calm4j.calm.data.TrainingData;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.model.ModelFolder;

/** A text in a language: a line with {@code language}, and {@code text} or {@code input_ids}. */
record LanguageText(String language, int[] tokens) {
    static List<LanguageText> read(Path input, ModelFolder model) {
        return PromptLines.read(input, (line, where) -> of(line, where, model));
    }

    static LanguageText of(JsonNode line, String where, ModelFolder model) {
        String language = PromptLines.text(line, "language", where);
        int[] tokens = line.has("input_ids")
                ? TrainingData.ids(
                        line,
                        "input_ids",
                        where,
                        model.model().config().vocabulary().size())
                : model.requireTokenizer().encodePrompt(PromptLines.text(line, "text", where));
        if (tokens.length == 0) {
            throw CalmException.badInput(where, "the text has no token");
        }
        return new LanguageText(language, tokens);
    }
}
