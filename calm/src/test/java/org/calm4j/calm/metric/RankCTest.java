package org.calm4j.calm.metric;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.calm4j.engine.CalmException;
import org.junit.jupiter.api.Test;

class RankCTest {
    private static Map<String, Map<String, List<String>>> rankings(List<String> en, List<String> de) {
        Map<String, Map<String, List<String>>> rankings = new LinkedHashMap<>();
        rankings.put("en", Map.of("q", en));
        rankings.put("de", Map.of("q", de));
        return rankings;
    }

    @Test
    void isOneForTheSameOrder() {
        assertThat(RankC.mean(rankings(List.of("A", "B", "C"), List.of("A", "B", "C"))))
                .isCloseTo(1, within(1e-15));
    }

    @Test
    void weighsTheTopMost() {
        // Orders A B C and B A C: P@1 = 0, P@2 = 1, P@3 = 1; weights e², e, 1 over their sum.
        double e = Math.E;
        assertThat(RankC.mean(rankings(List.of("A", "B", "C"), List.of("B", "A", "C"))))
                .isCloseTo((e + 1) / (e * e + e + 1), within(1e-12));
        // A B C and C B A: P@1 = 0, P@2 = 1/2, P@3 = 1.
        assertThat(RankC.mean(rankings(List.of("A", "B", "C"), List.of("C", "B", "A"))))
                .isCloseTo((e / 2 + 1) / (e * e + e + 1), within(1e-12));
    }

    @Test
    void averagesOverQuestionsAndPairs() {
        Map<String, Map<String, List<String>>> rankings = new LinkedHashMap<>();
        rankings.put("en", Map.of("q1", List.of("A", "B"), "q2", List.of("A", "B")));
        rankings.put("de", Map.of("q1", List.of("A", "B"), "q2", List.of("B", "A")));
        rankings.put("ja", Map.of("q1", List.of("A", "B")));
        double swapped = 1 / (Math.E + 1);
        Map<String, Map<String, Double>> pairwise = RankC.pairwise(rankings);
        assertThat(pairwise.get("en").get("de")).isCloseTo((1 + swapped) / 2, within(1e-12));
        assertThat(pairwise.get("en").get("ja")).isCloseTo(0.5, within(1e-12));
        assertThat(RankC.mean(rankings)).isCloseTo(((1 + swapped) / 2 + 0.5 + 0.5) / 3, within(1e-12));
    }

    @Test
    void refusesOtherLabels() {
        assertThatThrownBy(() -> RankC.mean(rankings(List.of("A", "B"), List.of("A", "C"))))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("question q");
        assertThatThrownBy(() -> RankC.mean(rankings(List.of("A", "A"), List.of("A", "A"))))
                .isInstanceOf(CalmException.class);
    }
}
