package org.calm4j.engine.op.scalar;

import org.calm4j.engine.random.CounterRandom;
import org.calm4j.engine.tensor.Tensor;

/** Inverted dropout (Srivastava et al. 2014) with a counter-based mask, so that the backward pass finds the same one. */
final class Dropout {
    private Dropout() {}

    /** Sets or adds {@code out[i] = x[i]/(1−p)} where the random number of (seed, i) is at least p, else 0. */
    static void apply(Tensor out, Tensor x, double p, long seed, boolean add) {
        for (long i = 0; i < x.size(); i++) {
            double kept = CounterRandom.uniform(seed, i) >= p ? x.get(i) / (1 - p) : 0;
            out.set(i, add ? out.get(i) + kept : kept);
        }
    }
}
