package org.calm4j.calm.stage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

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
    private VoteSummary summary;

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

    private static final Samples[] TIED = {line("1", "en", "A", "B", "B"), line("1", "fr", "A", "A", "B"), line("2", "en", "A"), line("2", "fr", "A")};

    @Test
    void aTieIsLeftOutOrResolvedAsAskedFor() {
        VoteOptions options = new VoteOptions();
        assertThat(votes(options, TIED)).extracting(Vote::answer).containsExactly(null, "A");
        options.tie = VoteOptions.Tie.SKIP;
        assertThat(votes(options, TIED)).extracting(Vote::id).containsExactly("2");
        options.tie = VoteOptions.Tie.LANGUAGE_ORDER;
        assertThat(votes(options, TIED)).extracting(Vote::answer).containsExactly("B", "A");
        options.languages = List.of("fr", "en");
        assertThat(votes(options, TIED)).extracting(Vote::answer).containsExactly("A", "A");
        options.tie = VoteOptions.Tie.LOGPROB;
        options.languages = List.of();
        assertThatThrownBy(() -> votes(options, new Samples("1", "en", "?", CHOICES, null, null, null, List.of(
                new Samples.Response("a", "A", null, null), new Samples.Response("b", "B", null, null))))).hasMessageContaining("logprob");
        Samples sure = new Samples("1", "en", "?", CHOICES, null, null, null, List.of(new Samples.Response("a", "A", -9.0, 10),
                new Samples.Response("b", "B", -2.0, 2)));
        Vote vote = votes(options, sure).getFirst();
        assertThat(vote.answer()).isEqualTo("A");
        assertThat(vote.tie()).isTrue();
        assertThat(vote.agreement()).isEqualTo(0.5);
    }

    @Test
    void votesWeighByLanguageAndByProbability() {
        VoteOptions options = new VoteOptions();
        options.languageWeights.put("en", 1.5);
        Vote vote = votes(options, TIED).getFirst();
        assertThat(vote.answer()).isEqualTo("B");
        assertThat(vote.votes()).isEqualTo(Map.of("A", 3, "B", 3));
        assertThat(vote.scores()).isEqualTo(Map.of("A", 3.5, "B", 4.0));
        assertThat(vote.agreement()).isEqualTo(4 / 7.5);
        assertThat(vote.tie()).isFalse();
        options.weighting = VoteOptions.Weighting.PROBABILITY;
        Vote both = votes(options, TIED).getFirst();
        assertThat(both.scores().get("B")).isCloseTo(4 * Math.exp(-0.25), within(1e-12));
        options.languageWeights.put("xx", 1.0);
        assertThatThrownBy(() -> votes(options, TIED)).hasMessageContaining("xx").hasMessageContaining("[en, fr]");
    }

    @Test
    void aWinnerNeedsTheMinimumAgreement() {
        VoteOptions options = new VoteOptions();
        options.minimumAgreement = 0.8;
        Samples[] lines = {line("1", "en", "A", "A", "A"), line("1", "fr", "A", "B"), line("2", "en", "B", "B"), line("2", "fr", "B", "A")};
        assertThat(votes(options, lines)).extracting(Vote::answer).containsExactly("A", null);
        assertThat(summary.questions()).isEqualTo(2);
        assertThat(summary.belowMinimum()).isEqualTo(1);
        assertThat(summary.winners()).isEqualTo(1);
    }

    @Test
    void rivalsAreVotesToo() {
        Samples[] lines = {labelled("1", "en", "A", "B", "B"), labelled("1", "fr", "A", "A", "B"), labelled("2", "en", "B", "A")};
        VoteOptions options = new VoteOptions();
        options.voteBy = VoteOptions.VoteBy.LANGUAGE;
        List<Vote> alone = votes(options, lines);
        assertThat(alone).extracting(Vote::language).containsExactly("en", "fr", "en");
        assertThat(alone).extracting(Vote::answer).containsExactly("B", null, "A");
        options.voteBy = VoteOptions.VoteBy.TRUTH;
        List<Vote> truth = votes(options, lines);
        assertThat(truth).extracting(Vote::answer).containsExactly("A", "B");
        assertThat(truth).extracting(Vote::agreement).containsExactly(0.25, 0.0);
        options.voteBy = VoteOptions.VoteBy.ALL;
        options.languages = List.of("en");
        assertThat(votes(options, lines)).extracting(Vote::answer).containsExactly("B", "A");
        options.languages = List.of();
        options.weighting = VoteOptions.Weighting.DAWID_SKENE;
        assertThat(votes(options, lines)).allMatch(vote -> vote.scores() != null);
        options.voteBy = VoteOptions.VoteBy.LANGUAGE;
        assertThatThrownBy(() -> votes(options, lines)).isInstanceOf(CalmException.class).hasMessageContaining("dawid-skene");
    }

    @Test
    void summaryComparesWithTheTruth() {
        votes(new VoteOptions(), labelled("1", "en", "A", "A", "A"), labelled("1", "fr", "A", "A", "B"), labelled("2", "en", "B", "A", null),
                labelled("2", "fr", "B", "B", "B"), labelled("3", "en", "A", "B"), labelled("3", "fr", "A", "A"));
        assertThat(summary.accuracy()).isEqualTo(2 / 3.0);
        assertThat(summary.ties()).isEqualTo(1);
        assertThat(summary.majority().alone()).isEqualTo(Map.of("en", 1 / 3.0, "fr", 2.5 / 3));
        assertThat(summary.majority().without()).isEqualTo(Map.of("fr", 1 / 3.0, "en", 2.5 / 3));
        assertThat(summary.consistency()).isEqualTo(0);
        assertThat(summary.languages().get("en")).isEqualTo(new VoteSummary.LanguageSamples(3, 5, 4));
        assertThat(summary.text()).contains("3 questions: 2 with a winner, 1 tied, 0 without an answer").contains("the vote 66.7 %")
                .contains("alone en 33.3, fr 83.3").contains("Dawid-Skene");
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
        summary = new VoteStage(List.of(samples), folder.resolve("votes.jsonl"), options).run();
        return Jsonl.read(folder.resolve("votes.jsonl"), Vote.class);
    }

    private List<Pair> pairs(Samples... lines) {
        votes(new VoteOptions(), lines);
        new PairsStage(List.of(folder.resolve("samples.jsonl")), folder.resolve("votes.jsonl"), PROMPTS, folder.resolve("pairs.jsonl"),
                new PairOptions(), null, 0).run();
        return Jsonl.read(folder.resolve("pairs.jsonl"), Pair.class);
    }

    private static Samples labelled(String id, String language, String truth, String... answers) {
        Samples line = line(id, language, answers);
        return new Samples(id, language, line.question(), CHOICES, truth, null, null, line.responses());
    }

    private static Samples line(String id, String language, String... answers) {
        return new Samples(id, language, "where " + id, CHOICES, null, null, null, Arrays.stream(answers).map(answer -> new Samples.Response(
                answer == null ? "who knows" : "it is in the " + (answer.equals("A") ? "east" : "west"), answer, -1.0, 4)).toList());
    }
}
