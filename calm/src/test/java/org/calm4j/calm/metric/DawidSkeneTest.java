package org.calm4j.calm.metric;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.calm4j.calm.data.Vote;
import org.calm4j.engine.io.Json;
import org.junit.jupiter.api.Test;

class DawidSkeneTest {
    /** Their own data: 45 patients, 5 anaesthetists, 4 classes; the numbers of {@code src/test/oracle/dawid_skene.py}. */
    @Test
    void agreesWithASecondImplementationOnThePapersData() throws IOException {
        JsonNode oracle;
        try (InputStream in = DawidSkeneTest.class.getResourceAsStream("dawid-skene.json")) {
            oracle = Json.mapper().readTree(in);
        }
        DawidSkene estimate =
                DawidSkene.estimate(Json.mapper().convertValue(oracle.required("counts"), int[][][].class));
        // Table 2 of the paper: the shares of the classes.
        assertThat(estimate.prior()[0]).isCloseTo(0.40, within(0.005));
        assertThat(estimate.prior()[1]).isCloseTo(0.42, within(0.005));
        assertThat(estimate.prior()[2]).isCloseTo(0.11, within(0.005));
        assertThat(estimate.prior()[3]).isCloseTo(0.07, within(0.005));
        assertThat(estimate.logLikelihood())
                .isCloseTo(oracle.required("log_likelihood").asDouble(), within(1e-6));
        close(estimate.prior(), oracle.required("prior"));
        for (int i = 0; i < 45; i++) {
            close(estimate.posterior()[i], oracle.required("posterior").get(i));
        }
        for (int a = 0; a < 5; a++) {
            for (int k = 0; k < 4; k++) {
                close(
                        estimate.errorRates()[a][k],
                        oracle.required("error_rates").get(a).get(k));
            }
        }
    }

    private static void close(double[] actual, JsonNode expected) {
        for (int i = 0; i < actual.length; i++) {
            assertThat(actual[i]).isCloseTo(expected.get(i).asDouble(), within(1e-4));
        }
    }

    /** Two languages that answer at random outvote the reliable one question by question, and are found out over many. */
    @Test
    void findsTheReliableLanguage() {
        List<Vote> votes = new ArrayList<>();
        Map<String, String> truth = new LinkedHashMap<>();
        List<String> labels = List.of("A", "B", "C");
        for (int q = 0; q < 90; q++) {
            Map<String, Map<String, Integer>> said = new LinkedHashMap<>();
            said.put("en", Map.of(labels.get(q % 3), 1));
            said.put("fr", Map.of(labels.get(q * q / 3 % 3), 1));
            said.put("ja", Map.of(labels.get(q / 9 % 3), 1));
            said.put("de", Map.of(labels.get(q % 10 == 0 ? (q + 1) % 3 : q % 3), 1));
            Map<String, Integer> pooled = new LinkedHashMap<>();
            said.values().forEach(own -> own.forEach((label, n) -> pooled.merge(label, n, Integer::sum)));
            votes.add(new Vote("q" + q, null, pooled, said, 0, false));
            truth.put("q" + q, labels.get(q % 3));
        }
        LanguageReliability.AgainstMajority result = LanguageReliability.compare(votes, truth);
        assertThat(result.reliability().get("en")).isGreaterThan(0.95);
        assertThat(result.reliability().get("de")).isBetween(0.85, 0.95);
        assertThat(result.reliability().get("ja")).isLessThan(0.5);
        assertThat(result.accuracy()).isGreaterThan(0.95);
        assertThat(result.majority()).isLessThan(0.95);
        assertThat(result.better()).isTrue();
        // The vote's own figure, ties and all; and what was gained and lost is what lies between the two.
        assertThat(result.majority())
                .isEqualTo(votes.stream()
                                .filter(vote -> truth.get(vote.id()).equals(MajorityVote.winner(vote.votes())))
                                .count()
                        / 90.0);
        assertThat(result.accuracy() - result.majority())
                .isCloseTo((result.flips().gained() - result.flips().lost()) / 90.0, within(1e-12));
        assertThat(LanguageReliability.compare(votes, Map.of())).isNull();
    }

    @Test
    void aQuestionWithoutAnswersHasNoProbabilities() {
        DawidSkene estimate = DawidSkene.estimate(new int[][][] {{{2, 0}, {1, 0}}, {{0, 0}, {0, 0}}, {{0, 1}, {0, 2}}});
        assertThat(estimate.posterior()[1]).containsOnly(0.0);
        assertThat(estimate.posterior()[0][0]).isEqualTo(1);
        assertThat(estimate.prior()).containsExactly(0.5, 0.5);
    }
}
