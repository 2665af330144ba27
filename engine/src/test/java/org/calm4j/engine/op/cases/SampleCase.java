package org.calm4j.engine.op.cases;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import it.unimi.dsi.fastutil.ints.IntOpenHashSet;
import it.unimi.dsi.fastutil.ints.IntSet;
import java.util.ArrayList;
import java.util.List;
import org.calm4j.engine.op.Draws;
import org.calm4j.engine.op.TokenFilter;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;

/**
 * The same tokens, from a vocabulary of v: drawn with each filter alone and with all.
 *
 * @param scale of the logits: smooth, steep, or all equal; a third row has many that are equal
 */
record SampleCase(int v, double temperature, int topK, double topP, double minP, double repetitionPenalty, double scale)
        implements OpCase {
    private static final int ROWS = 3;
    private static final int DRAWS = 12;

    static List<OpCase> all() {
        TokenFilter[] filters = {
            new TokenFilter(0, 0, 1, 0, 1),
            new TokenFilter(0, 0, 1, 0, 1.3),
            new TokenFilter(1, 0, 1, 0, 1),
            new TokenFilter(0.7, 5, 1, 0, 1),
            new TokenFilter(1.2, 0, 0.9, 0, 1),
            new TokenFilter(1, 0, 0.3, 0, 1.2),
            new TokenFilter(1, 0, 1, 0.1, 1),
            new TokenFilter(0.8, 40, 0.95, 0.05, 1.1),
            new TokenFilter(1, 1, 1, 0, 1)
        };
        List<OpCase> cases = new ArrayList<>();
        for (int v : new int[] {1, 3, 31, 97, 1200, 3001}) {
            for (TokenFilter filter : filters) {
                for (double scale : new double[] {0.01, 2, 30}) {
                    cases.add(of(v, filter, scale));
                }
            }
        }
        // Of tokens that are all equal the nucleus keeps fewer than the top ones.
        for (int v : new int[] {97, 1200}) {
            cases.add(of(v, new TokenFilter(1, 40, 0.3, 0, 1), 0));
        }
        return cases;
    }

    private static SampleCase of(int v, TokenFilter filter, double scale) {
        return new SampleCase(
                v,
                filter.temperature(),
                filter.topK(),
                filter.topP(),
                filter.minP(),
                filter.repetitionPenalty(),
                scale);
    }

    @Override
    public int oneOf(int wanted) {
        return scale == 0 ? 1 : wanted;
    }

    @Override
    public void run(Trial c) {
        double[] values =
                c.random().doubles((long) ROWS * v, -scale, scale + 1e-300).toArray();
        for (int i = (ROWS - 1) * v; i < ROWS * v; i++) {
            // Whole numbers, of which many are equal.
            values[i] = Math.rint(4 * c.random().nextDouble() - 2);
        }
        Tensor[] logits = c.tensor(DType.F32, values, ROWS, v);
        List<Draws> draws = List.of(new Draws(), new Draws());
        for (int i = 0; i < DRAWS; i++) {
            IntSet seen = new IntOpenHashSet(c.random().ints(i, 0, v).toArray());
            long stream = c.random().nextLong();
            int at = i;
            draws.forEach(of -> of.add(at % ROWS, stream, at, seen));
        }
        TokenFilter filter = new TokenFilter(temperature, topK, topP, minP, repetitionPenalty);
        c.run((b, i) -> b.sample(draws.get(i), logits[i], filter));
        for (int i = 0; i < DRAWS * c.tested(); i++) {
            assertThat(draws.get(1).token(i))
                    .as(c.about("token " + i))
                    .isEqualTo(draws.get(0).token(i));
            assertThat(draws.get(1).logProb(i))
                    .as(c.about("logProb " + i))
                    .isCloseTo(draws.get(0).logProb(i), within(1e-6));
        }
    }
}
