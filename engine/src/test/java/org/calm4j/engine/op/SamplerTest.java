package org.calm4j.engine.op;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import it.unimi.dsi.fastutil.ints.IntOpenHashSet;
import it.unimi.dsi.fastutil.ints.IntSet;
import it.unimi.dsi.fastutil.ints.IntSets;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.calm4j.engine.op.scalar.ScalarBackend;
import org.calm4j.engine.random.CounterRandom;
import org.calm4j.engine.tensor.DType;
import org.junit.jupiter.api.Test;

final class SamplerTest {
    private static final double[] PROBABILITIES = {0.5, 0.25, 0.15, 0.07, 0.03};
    private static final int DRAWS = 40_000;

    private final ScalarBackend backend = new ScalarBackend(DType.F64);

    private int draw(double[] logits, TokenFilter filter, long stream) {
        return draw(logits, filter, stream, IntSets.EMPTY_SET);
    }

    private int draw(double[] logits, TokenFilter filter, long stream, IntSet seen) {
        Draws draws = new Draws();
        draws.add(0, stream, 0, seen);
        backend.sample(draws, Doubles.of(logits, 1, logits.length), filter);
        return draws.token(0);
    }

    @Test
    void greedyTakesTheFirstOfTheMostProbable() {
        TokenFilter greedy = new TokenFilter(0, 0, 1, 0, 1);
        assertThat(draw(new double[] {0, 3, 3, 1}, greedy, 1)).isEqualTo(1);
        assertThat(draw(new double[] {9, 0, 0, 0}, greedy, 1)).isZero();
    }

    @Test
    void drawsTheDistribution() {
        check(new TokenFilter(1, 0, 1, 0, 1), 0.5, 0.25, 0.15, 0.07, 0.03);
    }

    @Test
    void temperatureSharpens() {
        double[] squared = new double[5];
        double sum = 0;
        for (int i = 0; i < 5; i++) {
            squared[i] = PROBABILITIES[i] * PROBABILITIES[i];
            sum += squared[i];
        }
        for (int i = 0; i < 5; i++) {
            squared[i] /= sum;
        }
        check(new TokenFilter(0.5, 0, 1, 0, 1), squared);
    }

    @Test
    void filtersKeepTheMostProbable() {
        check(new TokenFilter(1, 2, 1, 0, 1), 2 / 3.0, 1 / 3.0, 0, 0, 0);
        check(new TokenFilter(1, 0, 0.7, 0, 1), 2 / 3.0, 1 / 3.0, 0, 0, 0);
        check(new TokenFilter(1, 0, 0.76, 0, 1), 0.5 / 0.9, 0.25 / 0.9, 0.15 / 0.9, 0, 0);
        check(new TokenFilter(1, 0, 1, 0.29, 1), 0.5 / 0.9, 0.25 / 0.9, 0.15 / 0.9, 0, 0);
        // top-p looks at what top-k left: 0.5 of 0.75.
        check(new TokenFilter(1, 2, 0.66, 0, 1), 1, 0, 0, 0, 0);
    }

    /** The filters of a full sort, on random logits with equal ones among them. */
    @Test
    void aHeapKeepsWhatASortWouldKeep() {
        for (int i = 0; i < 500; i++) {
            Random random = new Random(i);
            int vocabulary = 1 + random.nextInt(60);
            double[] logits = random.doubles(vocabulary, -4, 4)
                    .map(x -> random.nextBoolean() ? Math.rint(x) + 0.0 : x)
                    .toArray();
            int topK = random.nextInt(4) == 0 ? 0 : random.nextInt(70);
            double topP = random.nextInt(4) == 0 ? 1 : random.nextDouble();
            double minP = random.nextInt(4) == 0 ? 0 : random.nextDouble() / 3;
            TokenFilter filter = new TokenFilter(0.8, topK, topP, minP, 1);
            Set<Integer> expected = kept(logits, topK, topP, minP);
            Set<Integer> drawn = new TreeSet<>();
            for (int draw = 0; draw < 400; draw++) {
                drawn.add(draw(logits, filter, CounterRandom.seed(i, draw)));
            }
            assertThat(expected).as("draws %d", i).containsAll(drawn);
            if (expected.size() < 4) {
                assertThat(drawn).as("draws %d", i).containsAll(expected);
            }
        }
    }

    @Test
    void theRepetitionPenaltyIsThatOfTransformers() {
        TokenFilter filter = new TokenFilter(0, 0, 1, 0, 1.7);
        IntSet seen = new IntOpenHashSet(new int[] {1, 3});
        // 3/1.7 < 2 and -1·1.7 < -1.5.
        assertThat(draw(new double[] {2, 3, -9, -9}, filter, 0, seen)).isZero();
        assertThat(draw(new double[] {-1.5, -9, -9, -1}, filter, 0, seen)).isZero();
        assertThat(draw(new double[] {1.7, 3, -9, -9}, filter, 0, seen)).isEqualTo(1);
    }

    private static Set<Integer> kept(double[] logits, int topK, double topP, double minP) {
        List<Integer> order = IntStream.range(0, logits.length)
                .boxed()
                .sorted(Comparator.comparingDouble((Integer t) -> -logits[t]))
                .toList();
        List<Integer> first = topK > 0 ? order.subList(0, Math.min(topK, order.size())) : order;
        double sum = first.stream().mapToDouble(t -> Math.exp(logits[t] / 0.8)).sum();
        double reached = 0;
        Set<Integer> kept = new TreeSet<>();
        for (int token : first) {
            double weight = Math.exp(logits[token] / 0.8);
            boolean probable = weight >= minP * Math.exp(logits[order.getFirst()] / 0.8);
            if (kept.isEmpty() || probable && (topP >= 1 || reached < topP * sum)) {
                kept.add(token);
            }
            reached += weight;
        }
        return kept;
    }

    private void check(TokenFilter filter, double... expected) {
        double[] logits = new double[5];
        for (int i = 0; i < 5; i++) {
            logits[i] = Math.log(PROBABILITIES[i]) + 7;
        }
        int[] counts = new int[5];
        for (int i = 0; i < DRAWS; i++) {
            counts[draw(logits, filter, CounterRandom.seed(3, i))]++;
        }
        for (int i = 0; i < 5; i++) {
            assertThat((double) counts[i] / DRAWS)
                    .as("token %d with %s", i, filter)
                    .isCloseTo(expected[i], within(expected[i] == 0 ? 0 : 0.0125));
        }
    }
}
