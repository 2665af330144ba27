package org.calm4j.calm.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.util.Map;
import java.util.stream.Stream;
import org.calm4j.calm.data.Vote;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Jsonl;
import org.junit.jupiter.api.Test;

/** From samples to votes, and from votes to pairs. */
final class VoteCommandTest extends CommandLineFixture {
    @Test
    void votesOfAllLanguagesArePooled() {
        assertThat(calm(
                        "vote",
                        "--samples",
                        path("en.jsonl"),
                        path("fr.jsonl"),
                        "--output",
                        path("votes.jsonl"),
                        "--json"))
                .isZero();
        Vote vote = Jsonl.read(folder.resolve("votes.jsonl"), Vote.class).getFirst();
        // "so A" has no answer because its file says so; the absent ones are extracted.
        assertThat(vote.votes()).containsOnly(Map.entry("A", 3), Map.entry("B", 1));
        assertThat(vote.answer()).isEqualTo("A");
        assertThat(out.toString()).startsWith("{").contains("\"winners\":1");
    }

    @Test
    void extractOnlyFillsInEveryAnswer() {
        assertThat(calm("vote", "--extract-only", "--samples", path("fr.jsonl"), "--output", path("x.jsonl")))
                .isZero();
        JsonNode line = Jsonl.read(folder.resolve("x.jsonl"), JsonNode.class).getFirst();
        assertThat(line.path("responses").findValuesAsText("answer")).containsExactly("A", "B");
        assertThat(out.toString()).contains("2 responses, 2 with an answer");
    }

    @Test
    void explainsWhatDecided() throws IOException {
        assertThat(calm(
                        "vote",
                        "--extract-only",
                        "--explain",
                        "--samples",
                        path("fr.jsonl"),
                        "--output",
                        path("x.jsonl")))
                .isZero();
        assertThat(out.toString())
                .contains("1 fr #0: A by option text \"east\"", "1 fr #1: B by statement \"Réponse : B\"");
        assertThat(calm(
                        "vote",
                        "--extract-only",
                        "--explain",
                        "--json",
                        "--samples",
                        path("fr.jsonl"),
                        "--output",
                        path("x.jsonl")))
                .isZero();
        assertThat(Json.mapper()
                        .readTree(out.toString())
                        .at("/explained/1/extraction/from")
                        .asInt())
                .isZero();
        assertThat(calm("vote", "--explain", "--samples", path("fr.jsonl"), "--output", path("x.jsonl")))
                .isEqualTo(2);
    }

    @Test
    void pairsKeepThePromptThatWasSampled() {
        calm("vote", "--samples", path("en.jsonl"), "--output", path("votes.jsonl"));
        assertThat(calm(
                        "pairs",
                        "--samples",
                        path("en.jsonl"),
                        "--votes",
                        path("votes.jsonl"),
                        "--output",
                        path("pairs.jsonl")))
                .isZero();
        // A tie of one to one: nothing to learn from.
        assertThat(folder.resolve("pairs.jsonl")).isEmptyFile();
        calm("vote", "--samples", path("en.jsonl"), path("fr.jsonl"), "--output", path("votes.jsonl"));
        assertThat(calm(
                        "pairs",
                        "--samples",
                        path("en.jsonl"),
                        "--votes",
                        path("votes.jsonl"),
                        "--output",
                        path("pairs.jsonl")))
                .isZero();
        JsonNode pair =
                Jsonl.read(folder.resolve("pairs.jsonl"), JsonNode.class).getFirst();
        assertThat(pair.path("prompt").asText()).isEqualTo("Where? east, west");
        assertThat(pair.path("chosen").asText()).isEqualTo("Answer: A");
        assertThat(pair.path("rejected").asText()).isEqualTo("the west .");
    }

    @Test
    void aVoteTellsHowGoodItIsAndPairsTranslate() throws IOException {
        String choices =
                "\"choices\":[{\"label\":\"A\",\"text\":\"east\"},{\"label\":\"B\",\"text\":\"west\"}],\"answer\":\"A\"";
        file(
                "s.jsonl",
                "{\"id\":1,\"language\":\"en\",\"question\":\"where?\"," + choices
                        + ",\"responses\":[{\"text\":\"The answer is A\"},{\"text\":\"The answer is A\"}]}",
                "{\"id\":1,\"language\":\"fr\",\"question\":\"où ?\"," + choices
                        + ",\"responses\":[{\"text\":\"La réponse est B\"}]}");
        assertThat(calm(
                        "vote",
                        "--samples",
                        path("s.jsonl"),
                        "--output",
                        path("votes.jsonl"),
                        "--weighting",
                        "dawid-skene",
                        "--summary",
                        path("summary.json")))
                .isZero();
        assertThat(out.toString())
                .contains("1 questions: 1 with a winner")
                .contains("alone en 100.0, fr 0.0")
                .contains("Dawid-Skene");
        assertThat(Json.read(folder.resolve("summary.json"), JsonNode.class)
                        .path("majority")
                        .path("by_languages"))
                .hasSize(2);
        assertThat(calm("vote", "--samples", path("s.jsonl"), "--output", path("votes.jsonl"), "--tie", "coin"))
                .isEqualTo(2);
        assertThat(calm("vote", "--samples", path("s.jsonl"), "--output", path("votes.jsonl"), "--languages", "de"))
                .isEqualTo(2);
        assertThat(err.toString()).contains("de").contains("[en, fr]");

        file(
                "t.jsonl",
                "{\"source\":\"en\",\"target\":\"fr\",\"text\":\"The answer is A\",\"translation\":\"La réponse est A\"}");
        String[] pairs = {
            "pairs",
            "--samples",
            path("s.jsonl"),
            "--votes",
            path("votes.jsonl"),
            "--output",
            path("pairs.jsonl"),
            "--translator",
            "file"
        };
        assertThat(calm(pairs)).isEqualTo(2);
        assertThat(err.toString()).contains("--translations");
        String[] translated = Stream.concat(
                        Stream.of(pairs), Stream.of("--translations", path("t.jsonl"), "--json", "--margin-weights"))
                .toArray(String[]::new);
        assertThat(calm(translated)).isZero();
        JsonNode counts = Json.mapper().readTree(out.toString());
        assertThat(counts.path("sources").toString()).isEqualTo("{\"translated\":1}");
        assertThat(counts.path("languages").path("en").path("skipped").toString())
                .isEqualTo("{\"all agree\":1}");
        JsonNode pair =
                Jsonl.read(folder.resolve("pairs.jsonl"), JsonNode.class).getFirst();
        assertThat(pair.path("chosen").asText()).isEqualTo("La réponse est A");
        assertThat(pair.path("weight").asDouble()).isPositive();
    }
}
