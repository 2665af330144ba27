package org.calm4j.engine.generate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import it.unimi.dsi.fastutil.ints.IntSets;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

final class SamplerTest {
    private static final double[] PROBABILITIES = {0.5, 0.25, 0.15, 0.07, 0.03};
    private static final int DRAWS = 40_000;

    @Test
    void greedyTakesTheFirstOfTheMostProbable() {
        Sampler sampler = new Sampler(Sampling.greedy(1), 4);
        assertThat(sampler.next(new double[] {0, 3, 3, 1, 9, 0, 0, 0}, 0, IntSets.EMPTY_SET, 1, 0)).isEqualTo(1);
        assertThat(sampler.next(new double[] {0, 3, 3, 1, 9, 0, 0, 0}, 1, IntSets.EMPTY_SET, 1, 0)).isZero();
    }

    @Test
    void drawsTheDistribution() {
        check(new Sampling(1, 1, 0, 1, 0, 1, false, 0), 0.5, 0.25, 0.15, 0.07, 0.03);
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
        check(new Sampling(1, 0.5, 0, 1, 0, 1, false, 0), squared);
    }

    @Test
    void filtersKeepTheMostProbable() {
        check(new Sampling(1, 1, 2, 1, 0, 1, false, 0), 2 / 3.0, 1 / 3.0, 0, 0, 0);
        check(new Sampling(1, 1, 0, 0.7, 0, 1, false, 0), 2 / 3.0, 1 / 3.0, 0, 0, 0);
        check(new Sampling(1, 1, 0, 0.76, 0, 1, false, 0), 0.5 / 0.9, 0.25 / 0.9, 0.15 / 0.9, 0, 0);
        check(new Sampling(1, 1, 0, 1, 0.29, 1, false, 0), 0.5 / 0.9, 0.25 / 0.9, 0.15 / 0.9, 0, 0);
        // top-p looks at what top-k left: 0.5 of 0.75.
        check(new Sampling(1, 1, 2, 0.66, 0, 1, false, 0), 1, 0, 0, 0, 0);
    }

    /** The filters of a full sort, on random logits with equal ones among them. */
    @Test
    void aHeapKeepsWhatASortWouldKeep() {
        for (int i = 0; i < 500; i++) {
            Random random = new Random(i);
            int vocabulary = 1 + random.nextInt(60);
            double[] logits = random.doubles(vocabulary, -4, 4).map(x -> random.nextBoolean() ? Math.rint(x) + 0.0 : x).toArray();
            int topK = random.nextInt(4) == 0 ? 0 : random.nextInt(70);
            double topP = random.nextInt(4) == 0 ? 1 : random.nextDouble();
            double minP = random.nextInt(4) == 0 ? 0 : random.nextDouble() / 3;
            Sampler sampler = new Sampler(new Sampling(1, 0.8, topK, topP, minP, 1, false, 0), vocabulary);
            Set<Integer> expected = kept(logits, topK, topP, minP);
            Set<Integer> drawn = new TreeSet<>();
            for (int draw = 0; draw < 400; draw++) {
                drawn.add(sampler.next(logits, 0, IntSets.EMPTY_SET, Sampler.stream(i, draw, 0), 0));
            }
            assertThat(expected).as("draws %d", i).containsAll(drawn);
            if (expected.size() < 4) {
                assertThat(drawn).as("draws %d", i).containsAll(expected);
            }
        }
    }

    private static Set<Integer> kept(double[] logits, int topK, double topP, double minP) {
        List<Integer> order = IntStream.range(0, logits.length).boxed().sorted(Comparator.comparingDouble((Integer t) -> -logits[t]))
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

    private static void check(Sampling sampling, double... expected) {
        double[] logits = new double[5];
        for (int i = 0; i < 5; i++) {
            logits[i] = Math.log(PROBABILITIES[i]) + 7;
        }
        Sampler sampler = new Sampler(sampling, 5);
        int[] counts = new int[5];
        for (int i = 0; i < DRAWS; i++) {
            counts[sampler.next(logits, 0, IntSets.EMPTY_SET, Sampler.stream(3, i, 0), 0)]++;
        }
        for (int i = 0; i < 5; i++) {
            assertThat((double) counts[i] / DRAWS).as("token %d with %s", i, sampling)
                    .isCloseTo(expected[i], within(expected[i] == 0 ? 0 : 0.0125));
        }
    }
}
