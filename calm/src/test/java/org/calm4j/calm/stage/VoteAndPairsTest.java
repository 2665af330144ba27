package org.calm4j.calm.stage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.calm4j.calm.data.Pair;
import org.calm4j.calm.data.Question.Choice;
import org.calm4j.calm.data.Samples;
import org.calm4j.calm.data.Vote;
import org.calm4j.calm.prompt.PromptTemplate;
import org.calm4j.calm.prompt.PromptTemplates;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Jsonl;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class VoteAndPairsTest {
    private static final List<Choice> CHOICES = List.of(new Choice("A", "east"), new Choice("B", "west"));
    private static final PromptTemplate TEMPLATE = new PromptTemplate("{question} {choices} ?", "{text}", ",");
    private static final PromptTemplates PROMPTS = new PromptTemplates(Map.of("en", TEMPLATE, "fr", TEMPLATE));

    @TempDir
    private Path folder;

    @Test
    void allLanguagesVoteAlike() {
        List<Vote> votes = votes(new VoteOptions(), line("1", "en", "A", "A", "B", null), line("1", "fr", "B", "B"), line("2", "en", "A", "B"),
                line("3", "en", null, null));
        assertThat(votes.get(0)).isEqualTo(new Vote("1", "B", Map.of("A", 2, "B", 3), Map.of("en", Map.of("A", 2, "B", 1), "fr", Map.of("B", 2)),
                0.6, false));
        assertThat(votes.get(1).answer()).isNull();
        assertThat(votes.get(1).tie()).isTrue();
        assertThat(votes.get(2).answer()).isNull();
        assertThat(votes.get(2).tie()).isFalse();
        assertThat(votes.get(2).agreement()).isZero();
    }

    @Test
    void chosenAgreesWithTheVoteAndRejectedDoesNot() {
        List<Pair> pairs = pairs(line("1", "en", "A", "B", "A", "A"), line("1", "fr", "B", "B"), line("2", "en", "A", "A"),
                line("2", "fr", "A", null));
        // Vote 1 is a tie of three to three.
        assertThat(pairs).hasSize(1);
        Pair pair = pairs.getFirst();
        assertThat(pair.id()).isEqualTo("2");
        assertThat(pair.language()).isEqualTo("fr");
        assertThat(pair.prompt()).isEqualTo("where 2 east,west ?");
        assertThat(pair.chosen()).isEqualTo("it is in the east");
        assertThat(pair.rejected()).isEqualTo("who knows");
        assertThat(pair.rejectedAnswer()).isNull();
        assertThat(pair.chosenSource()).isEqualTo("sampled");
    }

    @Test
    void whatALanguageNeverSaidIsMadeFromItsOwnWords() {
        List<Pair> pairs = pairs(line("1", "en", "A", "A", "A"), line("1", "fr", "B", "B"));
        assertThat(pairs).hasSize(1);
        assertThat(pairs.getFirst().chosen()).isEqualTo("it is in the east");
        assertThat(pairs.getFirst().rejected()).isEqualTo("it is in the west");
        assertThat(pairs.getFirst().chosenSource()).isEqualTo("template");
    }

    @Test
    void twoLinesForOneQuestionAreAnError() {
        assertThatThrownBy(() -> pairs(line("1", "en", "A"), line("1", "en", "B"))).isInstanceOf(CalmException.class)
                .hasMessageContaining("samples.jsonl:2");
    }

    private List<Vote> votes(VoteOptions options, Samples... lines) {
        Path samples = folder.resolve("samples.jsonl");
        Jsonl.write(samples, Arrays.asList(lines));
        new VoteStage(List.of(samples), folder.resolve("votes.jsonl"), options).run();
        return Jsonl.read(folder.resolve("votes.jsonl"), Vote.class);
    }

    private List<Pair> pairs(Samples... lines) {
        votes(new VoteOptions(), lines);
        new PairsStage(List.of(folder.resolve("samples.jsonl")), folder.resolve("votes.jsonl"), PROMPTS, folder.resolve("pairs.jsonl"),
                new PairOptions(), null, 0).run();
        return Jsonl.read(folder.resolve("pairs.jsonl"), Pair.class);
    }

    private static Samples line(String id, String language, String... answers) {
        return new Samples(id, language, "where " + id, CHOICES, null, null, null, Arrays.stream(answers).map(answer -> new Samples.Response(
                answer == null ? "who knows" : "it is in the " + (answer.equals("A") ? "east" : "west"), answer, -1.0, 4)).toList());
    }
}
