package org.calm4j.calm.stage;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.calm4j.calm.data.Prompt;
import org.calm4j.calm.data.Question;
import org.calm4j.calm.data.Samples;
import org.junit.jupiter.api.Test;

class EvaluateStageTest {
    private static Samples line(String language, String... texts) {
        return new Samples(
                new Question("1", language, "?", List.of(), null, null),
                new Prompt("?", null),
                Arrays.stream(texts)
                        .map(text -> new Samples.Response(text, null, null, null))
                        .toList());
    }

    /** A response without a text is in no language, and one in a language that nobody can tell says nothing. */
    @Test
    void countsTheResponsesThatAreInTheQuestionsLanguage() {
        String english = "The answer is that it was not in the house, as you can see.";
        String french = "La réponse est que ce n’est pas dans la maison, comme vous le voyez.";
        assertThat(EvaluateStage.inOwnLanguage(List.of(
                        line("fr", french, english, ""),
                        line("fr", french, french),
                        line("zh", english),
                        line("en", english),
                        line("tlh", english))))
                .containsExactly(Map.entry("fr", 0.75), Map.entry("zh", 0.0), Map.entry("en", 1.0));
        assertThat(EvaluateStage.inOwnLanguage(List.of(line("tlh", english)))).isEmpty();
        assertThat(EvaluateStage.inOwnLanguage(List.of(line("en", "", " ", "\u200B", "...", "B"))))
                .as("100 % of nothing")
                .isEmpty();
    }
}
