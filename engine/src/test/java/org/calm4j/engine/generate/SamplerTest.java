package org.calm4j.engine.generate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

final class SamplerTest {
    private static final double[] PROBABILITIES = {0.5, 0.25, 0.15, 0.07, 0.03};
    private static final int DRAWS = 40_000;

    @Test
    void greedyTakesTheFirstOfTheMostProbable() {
        Sampler sampler = new Sampler(Sampling.greedy(1), 4);
        assertThat(sampler.next(new double[] {0, 3, 3, 1, 9, 0, 0, 0}, 0, 1, 0)).isEqualTo(1);
        assertThat(sampler.next(new double[] {0, 3, 3, 1, 9, 0, 0, 0}, 1, 1, 0)).isZero();
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

    private static void check(Sampling sampling, double... expected) {
        double[] logits = new double[5];
        for (int i = 0; i < 5; i++) {
            logits[i] = Math.log(PROBABILITIES[i]) + 7;
        }
        Sampler sampler = new Sampler(sampling, 5);
        int[] counts = new int[5];
        for (int i = 0; i < DRAWS; i++) {
            counts[sampler.next(logits, 0, Sampler.stream(3, i, 0), 0)]++;
        }
        for (int i = 0; i < 5; i++) {
            assertThat((double) counts[i] / DRAWS).as("token %d with %s", i, sampling)
                    .isCloseTo(expected[i], within(expected[i] == 0 ? 0 : 0.0125));
        }
    }
}
