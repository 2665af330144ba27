package org.calm4j.calm.metric;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.calm4j.calm.data.Prompt;
import org.calm4j.calm.data.Question;
import org.calm4j.calm.data.Samples;
import org.calm4j.calm.data.Vote;
import org.calm4j.calm.experiment.ExperimentFile;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Json;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ResponsePatternsTest {
    private static final List<Question.Choice> CHOICES =
            List.of(new Question.Choice("A", "east"), new Question.Choice("B", "west"));
    private static final ResponsePatterns PATTERNS =
            new ResponsePatterns(Map.of("detour", Map.of("fr", "^fr \\S+ = en ", "de", "^de \\S+ = en ")));

    /** @param answersAndTexts such as {@code "A it is A"}; a hyphen for no answer */
    private static Samples line(String id, String language, String relation, String truth, String... answersAndTexts) {
        return new Samples(
                new Question(id, language, "?", CHOICES, truth, relation),
                new Prompt("?", null),
                Arrays.stream(answersAndTexts)
                        .map(each -> new Samples.Response(
                                each.substring(2), each.startsWith("-") ? null : each.substring(0, 1), null, null))
                        .toList());
    }

    @Test
    void kindsHaveShareAccuracyAndAgreement() {
        List<Samples> lines = List.of(
                line("1", "fr", "x", "A", "A fr X = en Y ."),
                line("1", "de", "x", "A", "B de X = en Y ."),
                line("1", "en", "x", "A", "A en X = en Y ."),
                line("2", "fr", "y", "B", "- nothing"),
                line("2", "de", "y", "B", "B west"));
        Map<String, ResponseKind> kinds = PATTERNS.count(lines, null);
        assertThat(kinds.keySet()).containsExactly("detour", "other");
        ResponseKind detour = kinds.get("detour");
        assertThat(detour.n()).isEqualTo(2);
        assertThat(detour.share()).isCloseTo(.4, within(1e-12));
        assertThat(detour.accuracy()).isEqualTo(.5);
        // French agrees with English and not with German, German with nobody.
        assertThat(detour.agreement()).isEqualTo(.25);
        assertThat(detour.unanswered()).isZero();
        assertThat(detour.byLanguage()).isEqualTo(Map.of("fr", .5, "de", .5, "en", 0.0));
        assertThat(detour.byRelation()).isEqualTo(Map.of("x", 2 / 3.0, "y", 0.0));
        assertThat(kinds.get("other").unanswered()).isCloseTo(1 / 3.0, within(1e-12));
        assertThat(ResponsePatterns.text(kinds))
                .isEqualTo(
                        "Responses: detour 40.0 % (right 50.0 %, agreeing 25.0 %); other 60.0 % (right 66.7 %, agreeing 16.7 %).");
    }

    @Test
    void sampledResponsesAgreeWithTheVote() {
        List<Samples> lines = List.of(
                line("1", "fr", null, null, "A fr X = en Y .", "B fr X = en Y .", "A east"),
                line("2", "fr", null, null, "A fr X = en Y ."));
        List<Vote> votes = List.of(
                new Vote("1", "A", Map.of("A", 2), Map.of(), 1, false),
                new Vote("2", null, Map.of(), Map.of(), 0, true));
        ResponseKind detour = PATTERNS.count(lines, votes).get("detour");
        assertThat(detour.share()).isEqualTo(.75);
        assertThat(detour.accuracy()).isNull();
        // The question without a winner says nothing.
        assertThat(detour.agreement()).isEqualTo(.5);
        assertThat(detour.byRelation()).isNull();
    }

    @Test
    void theFirstThatOccursCounts(@TempDir Path folder) throws Exception {
        Path file = Files.writeString(
                folder.resolve("patterns.yaml"), "short: '^\\S+$'\nnamed: {fr: nord, de: Nord}\nany: '(?s).*'\n");
        ResponsePatterns patterns = read(file);
        assertThat(patterns.kind("nord", "fr")).isEqualTo("short");
        assertThat(patterns.kind("au nord", "fr")).isEqualTo("named");
        assertThat(patterns.kind("au nord", "en")).isEqualTo("any");
        ResponsePatterns again = Json.mapper().readValue(Json.compact(patterns), ResponsePatterns.class);
        assertThat(again).isEqualTo(patterns);
    }

    @Test
    void wrongPatternsAreRefusedWithTheirName(@TempDir Path folder) throws Exception {
        for (String wrong : List.of("a: '('", "a: {fr: '['}", "a: 3", "a: [x]", "other: x", "a:")) {
            Path file = Files.writeString(folder.resolve("patterns.yaml"), wrong + "\n");
            assertThatThrownBy(() -> read(file))
                    .as(wrong)
                    .isInstanceOf(CalmException.class)
                    .hasMessageContaining(wrong.substring(0, wrong.indexOf(':')));
        }
        ResponsePatterns slow = new ResponsePatterns(Map.of("slow", Map.of("*", "(.*)(.*)(.*)(.*)(.*)[^b]$")));
        assertThatThrownBy(() -> slow.kind("a".repeat(4000) + "b", "en"))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("steps");
    }

    private static ResponsePatterns read(Path file) {
        return ExperimentFile.read(file, Map.of(), ResponsePatterns.class, null);
    }
}
