package org.calm4j.engine.inspect;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import java.util.stream.IntStream;
import org.calm4j.engine.inspect.Edit.Where;
import org.calm4j.engine.model.TinyModel;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.scalar.ScalarBackend;
import org.calm4j.engine.tensor.DType;
import org.junit.jupiter.api.Test;

final class HeadScoreTest {
    @Test
    void attentionIsReadAtItsDistance() {
        // The second of two heads, over 6 tokens, attends to the token two back alone.
        double[] pattern = new double[2 * 36];
        for (int query = 2; query < 6; query++) {
            pattern[36 + query * 6 + query - 2] = 1;
        }
        assertThat(HeadScore.back(pattern, 36, 6, 3, 2)).isEqualTo(1);
        assertThat(HeadScore.back(pattern, 36, 6, 3, 3)).isZero();
        assertThat(HeadScore.back(pattern, 36, 6, 2, 1)).isZero();
        assertThat(HeadScore.back(pattern, 0, 6, 3, 2)).isZero();
    }

    @Test
    void aHeadWithoutQueriesAttendsToAllAlike() {
        try (Backend backend = new ScalarBackend(DType.F64);
                Inspector inspector = new Inspector(TinyModel.random(backend, "gpt2"), 10);
                Inspector.Handle _ = inspector.edit("blocks.*.attn.hook_q", Edit.zero(Where.head(1)))) {
            List<HeadScore> scores = HeadScore.of(inspector, 5, 3, 1);
            assertThat(scores).hasSize(2 * 3);
            HeadScore alike = scores.get(4);
            assertThat(List.of(alike.layer(), alike.head())).containsExactly(1, 1);
            assertThat(alike.previousToken()).isCloseTo(shareOfOne(1), within(1e-12));
            assertThat(alike.duplicateToken()).isCloseTo(shareOfOne(5), within(1e-12));
            assertThat(alike.induction()).isCloseTo(shareOfOne(5), within(1e-12));
            assertThat(scores.get(3).previousToken()).isNotCloseTo(shareOfOne(1), within(1e-6));
        }
    }

    /** The mean over the queries from one on to the tenth. */
    private static double shareOfOne(int from) {
        return IntStream.range(from, 10)
                .mapToDouble(query -> 1.0 / (query + 1))
                .average()
                .orElseThrow();
    }
}
