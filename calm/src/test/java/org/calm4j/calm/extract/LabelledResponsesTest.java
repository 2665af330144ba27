package org.calm4j.calm.extract;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.calm4j.calm.data.Question.Choice;
import org.calm4j.engine.io.Jsonl;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Sampled responses of Llama-3-8B to X-CSQA in English, Chinese and French, from the data of the CALM authors, labelled by reading them,
 * before any extractor saw them: all those that are not of the plain form, and some that are. The grammar was written on the half {@code
 * dev}. Those of {@code fresh} were drawn at random and read when the grammar stood; it agreed with all 150 at once. Of those of {@code read}
 * and {@code kept}, the rest of those that are not plain and a random part of the plain ones, {@code kept} was read when the rules of
 * {@code kinds.txt} stood.
 */
class LabelledResponsesTest {
    private static final Path FILE = Path.of("src/test/resources/org/calm4j/calm/extract/labelled.jsonl");

    /** @param reason why it is hard, and what decided */
    private record Labelled(
            String id,
            String half,
            String language,
            List<String> choices,
            String text,
            String label,
            @JsonProperty(required = true) boolean hard,
            String reason) {
        List<Choice> options() {
            List<Choice> options = new ArrayList<>();
            choices.forEach(text -> options.add(new Choice(String.valueOf((char) ('A' + options.size())), text)));
            return options;
        }
    }

    @ParameterizedTest
    @CsvSource({
        "dev, false, 110, 0.98",
        "test, false, 115, 0.98",
        "dev, true, 211, 0.92",
        "test, true, 221, 0.92",
        "fresh, false, 145, 0.98",
        "fresh, true, 5, 0.92",
        "read, false, 121, 0.985",
        "read, true, 100, 0.95",
        "kept, false, 59, 0.985",
        "kept, true, 57, 0.95"
    })
    void agreesWithACarefulReader(String half, boolean hard, int responses, double share) {
        List<Labelled> labelled = Jsonl.read(FILE, Labelled.class).stream()
                .filter(each -> each.half.equals(half) && each.hard == hard)
                .toList();
        assertThat(labelled).hasSize(responses);
        List<String> differing = labelled.stream()
                .filter(each -> !Objects.equals(each.label, AnswerExtractor.extract(each.text, each.options())))
                .map(Labelled::id)
                .toList();
        assertThat(differing).hasSizeLessThanOrEqualTo((int) (responses * (1 - share)));
    }
}
