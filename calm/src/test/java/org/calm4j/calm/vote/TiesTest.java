package org.calm4j.calm.vote;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import org.calm4j.calm.data.Prompt;
import org.calm4j.calm.data.Question;
import org.calm4j.calm.data.Samples;
import org.calm4j.calm.data.Vote;
import org.calm4j.calm.metric.LanguageReliability;
import org.calm4j.calm.metric.MajorityVote;
import org.calm4j.calm.metric.VoteReliability;
import org.calm4j.calm.option.Options;
import org.calm4j.calm.option.VoteOptions;
import org.junit.jupiter.api.Test;

/** Votes, evaluations and reports see the same ties, also where sums differ in their last bits. */
class TiesTest {
    private static final List<Question.Choice> CHOICES =
            List.of(new Question.Choice("A", "one"), new Question.Choice("B", "two"));

    private static final List<String> LANGUAGES = List.of("de", "en", "es", "fr");

    private static Samples line(String id, String language, String truth, String... answers) {
        List<Samples.Response> responses = new ArrayList<>();
        for (String answer : answers) {
            responses.add(new Samples.Response(answer, answer, null, null));
        }
        return new Samples(new Question(id, language, "?", CHOICES, truth, null), new Prompt("?", null), responses);
    }

    private static Map<String, Double> weights(String first, double ofFirst, String second, double ofSecond) {
        Map<String, Double> weights = new LinkedHashMap<>();
        weights.put(first, ofFirst);
        weights.put(second, ofSecond);
        return weights;
    }

    @Test
    void sumsThatDifferByTheirOrderTieWhateverTheOrder() {
        double up = 0.1 + 0.2 + 0.3;
        double down = 0.3 + 0.2 + 0.1;
        assertThat(up).isNotEqualTo(down);
        Ballot ballot =
                Ballot.of(List.of(line("1", "en", "A", "A", "B")), false).getFirst();
        for (Map<String, Double> each : List.of(
                weights("A", up, "B", down),
                weights("A", down, "B", up),
                weights("B", up, "A", down),
                weights("B", down, "A", up))) {
            assertThat(MajorityVote.first(each)).containsExactlyInAnyOrder("A", "B");
            assertThat(MajorityVote.winner(each)).isNull();
            Vote vote = ballot.decide(each, Options.standard(VoteOptions.class), List.of());
            assertThat(vote.tie()).isTrue();
            assertThat(vote.answer()).isNull();
        }
    }

    @Test
    void oneVoteInAHundredMillionDecides() {
        assertThat(MajorityVote.winner(Map.of("A", 100_000_001, "B", 100_000_000)))
                .isEqualTo("A");
        assertThat(MajorityVote.winner(weights("A", 1, "B", 1 + 2e-9))).isEqualTo("B");
        assertThat(MajorityVote.first(weights("A", 0, "B", 0))).isEmpty();
        assertThat(MajorityVote.first(Map.of())).isEmpty();
    }

    /** Languages that mirror each other are equally reliable, so there is no winner where they contradict each other. */
    @Test
    void voteAndReportAgreeOnDawidAndSkenesTies() {
        long ties = 0;
        for (int seed = 0; seed < 50; seed++) {
            Random random = new Random(seed);
            List<Samples> samples = new ArrayList<>();
            for (int q = 0; q < 6; q++) {
                for (int l = 0; l < LANGUAGES.size(); l++) {
                    String[] answers = answers(random, 5);
                    samples.add(line("q" + q, LANGUAGES.get(l), "A", answers));
                    samples.add(line("mirror" + q, LANGUAGES.reversed().get(l), "A", mirrored(answers)));
                }
            }
            for (int q = 0; q < 4; q++) {
                samples.add(line("tied" + q, "de", "A", "A", "A", "B"));
                samples.add(line("tied" + q, "en", "A", "A"));
                samples.add(line("tied" + q, "es", "A", "B"));
                samples.add(line("tied" + q, "fr", "A", "B", "B", "A"));
            }
            List<Ballot> ballots = Ballot.of(samples, false);
            List<Map<String, Double>> scores = LanguageReliability.of(
                            ballots.stream().map(Ballot::byLanguage).toList())
                    .probabilities();
            List<Vote> weighed = IntStream.range(0, ballots.size())
                    .mapToObj(i -> ballots.get(i).decide(scores.get(i), Options.standard(VoteOptions.class), List.of()))
                    .toList();
            List<Vote> plain = ballots.stream()
                    .map(ballot -> ballot.decide(null, Options.standard(VoteOptions.class), List.of()))
                    .toList();
            Map<String, String> truth = new HashMap<>();
            plain.forEach(vote -> truth.put(vote.id(), "A"));
            LanguageReliability.AgainstMajority report = LanguageReliability.compare(plain, truth);
            ties += weighed.stream().filter(Vote::tie).count();
            assertThat(report.accuracy()).as("seed %d", seed).isEqualTo(right(weighed));
            assertThat(report.majority()).as("seed %d", seed).isEqualTo(right(plain));
            assertThat(VoteReliability.of(plain, truth, Map.of()).accuracy()).isEqualTo(right(plain));
        }
        assertThat(ties).isPositive();
    }

    private static double right(List<Vote> votes) {
        return votes.stream().filter(vote -> "A".equals(vote.answer())).count() / (double) votes.size();
    }

    private static String[] answers(Random random, int count) {
        return random.ints(count, 0, 3).mapToObj(i -> i == 0 ? "B" : "A").toArray(String[]::new);
    }

    private static String[] mirrored(String... answers) {
        return IntStream.range(0, answers.length)
                .mapToObj(i -> answers[i].equals("A") ? "B" : "A")
                .toArray(String[]::new);
    }

    /** Mean log-probabilities are sums, too. */
    @Test
    void probabilitiesOfATieMayTieAgain() {
        Samples en = new Samples(
                new Question("1", "en", "?", CHOICES, null, null, null),
                null,
                null,
                List.of(
                        new Samples.Response("a", "A", -0.1 - 0.2 - 0.3, 1),
                        new Samples.Response("b", "B", -0.3 - 0.2 - 0.1, 1)));
        VoteOptions options = Options.standard(VoteOptions.class);
        options = Options.with(options, Map.of("tie", VoteOptions.Tie.LOGPROB));
        assertThat(Ballot.of(List.of(en), false)
                        .getFirst()
                        .decide(null, options, List.of())
                        .answer())
                .isNull();
        Samples clear =
                en.with(List.of(new Samples.Response("a", "A", -0.6, 1), new Samples.Response("b", "B", -0.7, 1)));
        assertThat(Ballot.of(List.of(clear), false)
                        .getFirst()
                        .decide(null, options, List.of())
                        .answer())
                .isEqualTo("A");
    }

    @Test
    void anEvaluationTakesTheAnswerThatAppearsFirst() {
        assertThat(MajorityVote.prediction(line("1", "en", "A", "B", "A", null, "A", "B"))
                        .prediction())
                .isEqualTo("B");
        assertThat(MajorityVote.prediction(line("1", "en", "A", "A", "B", "B", "A"))
                        .prediction())
                .isEqualTo("A");
        assertThat(MajorityVote.prediction(line("1", "en", "A", null, "B", "A", "A"))
                        .confidence())
                .isEqualTo(0.5);
        assertThat(MajorityVote.prediction(line("1", "en", "A", null, null)).prediction())
                .isNull();
    }
}
