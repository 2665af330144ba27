package org.calm4j.calm.metric;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.calm4j.calm.data.Vote;
import org.junit.jupiter.api.Test;

class VoteReliabilityTest {
    private static Vote vote(
            String id,
            String answer,
            double agreement,
            boolean tie,
            Map<String, Integer> en,
            Map<String, Integer> de,
            Map<String, Integer> ja) {
        Map<String, Map<String, Integer>> byLanguage = new LinkedHashMap<>();
        byLanguage.put("en", en);
        byLanguage.put("de", de);
        byLanguage.put("ja", ja);
        return new Vote(id, answer, Map.of(), byLanguage, agreement, tie);
    }

    private static final List<Vote> VOTES = List.of(
            vote("q1", "A", 1, false, Map.of("A", 2), Map.of("A", 2), Map.of("A", 2)),
            vote("q2", "A", 4 / 6.0, false, Map.of("A", 2), Map.of("A", 1, "B", 1), Map.of("A", 1, "B", 1)),
            vote("q3", "B", 4 / 6.0, false, Map.of("A", 2), Map.of("B", 2), Map.of("B", 2)),
            vote("q4", null, 0, false, Map.of(), Map.of(), Map.of()),
            vote("q5", "A", 1, false, Map.of("A", 1), Map.of(), Map.of()));
    private static final Map<String, String> TRUTH = Map.of("q1", "A", "q2", "A", "q3", "A", "q4", "A");

    @Test
    void countsByHand() {
        VoteReliability reliability = VoteReliability.of(VOTES, TRUTH, Map.of());
        assertThat(reliability.n()).isEqualTo(4);
        assertThat(reliability.accuracy()).isEqualTo(0.5);
        assertThat(reliability.undecided()).isEqualTo(1);
        // de: q1 right, q2 tied and so not right, q3 wrong, q4 nothing.
        assertThat(reliability.alone())
                .containsEntry("en", 0.75)
                .containsEntry("de", 0.25)
                .containsEntry("ja", 0.25);
        assertThat(reliability.byLanguages()).hasSize(3);
        assertThat(reliability.byLanguages().get(0))
                .isEqualTo(new VoteReliability.Subsets(
                        1,
                        1.25 / 3,
                        0.25,
                        0.75,
                        List.of(
                                new VoteReliability.Choice(List.of("en"), 0.75),
                                new VoteReliability.Choice(List.of("de"), 0.25),
                                new VoteReliability.Choice(List.of("ja"), 0.25))));
        // Without en: de and ja, and so on.
        assertThat(reliability.without())
                .containsEntry("en", 1 / 4.0)
                .containsEntry("de", 2 / 4.0)
                .containsEntry("ja", 2 / 4.0);
        // Pairs: en+de 1 + 1 + 0 (tied) + 0, en+ja the same, de+ja 1 + 0 (tied) + 0 + 0.
        assertThat(reliability.byLanguages().get(1).accuracy()).isCloseTo((2 + 2 + 1) / 12.0, within(1e-12));
        assertThat(reliability.byLanguages().get(2).accuracy()).isEqualTo(0.5);
    }

    /** The vote of one language is that language alone, ties and all. */
    @Test
    void oneLanguagesVoteIsThatLanguageAlone() {
        List<Vote> votes = List.of(
                new Vote("q1", "A", Map.of("A", 2), Map.of("en", Map.of("A", 2)), 1, false),
                new Vote("q2", null, Map.of("A", 1, "B", 1), Map.of("en", Map.of("A", 1, "B", 1)), 0.5, true));
        VoteReliability reliability = VoteReliability.of(votes, TRUTH, Map.of());
        assertThat(reliability.accuracy()).isEqualTo(0.5);
        assertThat(reliability.alone()).containsExactly(Map.entry("en", 0.5));
        assertThat(reliability.byLanguages().getFirst().accuracy()).isEqualTo(0.5);
    }

    /** q1: all three pairs; q2: a tie equals nothing; q3: de and ja; q4 and q5: nothing. */
    @Test
    void consistencyOfTheLanguagesOwnVotes() {
        assertThat(VoteReliability.consistency(VOTES)).isCloseTo((1 + 0 + 1 / 3.0 + 0 + 0) / 5, within(1e-15));
        assertThat(VoteReliability.consistency(
                        List.of(new Vote("q", "A", Map.of("A", 1), Map.of("en", Map.of("A", 1)), 1, false))))
                .isNull();
    }

    @Test
    void binsByAgreement() {
        List<VoteReliability.Bin> bins =
                VoteReliability.of(VOTES, TRUTH, Map.of()).calibration();
        assertThat(bins).extracting(VoteReliability.Bin::low).containsExactly(0.6, 0.9);
        assertThat(bins).extracting(VoteReliability.Bin::n).containsExactly(2, 1);
        assertThat(bins).extracting(VoteReliability.Bin::accuracy).containsExactly(0.5, 1.0);
    }

    @Test
    void doesWithoutTruth() {
        VoteReliability reliability = VoteReliability.of(VOTES, Map.of(), Map.of());
        assertThat(reliability.n()).isZero();
        assertThat(reliability.accuracy()).isNull();
        assertThat(reliability.calibration()).isEmpty();
        assertThat(reliability.byLanguages()).isEmpty();
    }

    @Test
    void choosesSubsets() {
        assertThat(Subset.all(List.of("a", "b", "c"), 2))
                .containsExactly(List.of("a", "b"), List.of("a", "c"), List.of("b", "c"));
        List<Integer> many = IntStream.range(0, 20).boxed().toList();
        List<List<Integer>> drawn = Subset.all(many, 10);
        assertThat(new LinkedHashSet<>(drawn)).hasSize(Subset.MOST_SUBSETS);
        assertThat(drawn).isEqualTo(Subset.all(many, 10)).allMatch(subset -> subset.size() == 10);
    }
}
