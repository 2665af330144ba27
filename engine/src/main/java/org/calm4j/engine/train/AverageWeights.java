package org.calm4j.engine.train;

import org.calm4j.engine.op.Backend;
import org.calm4j.engine.tensor.Buffer;
import org.calm4j.engine.tensor.Slab;
import org.calm4j.engine.tensor.Tensor;

/**
 * The exponential moving average of the trained weights (Polyak &amp; Juditsky 1992; Tarvainen &amp; Valpola 2017, equation 1):
 * {@code average = decay · average + (1 − decay) · weight} after each step that changes them, from the weights at the start on. Where weights
 * are F32, so is it.
 */
final class AverageWeights implements AutoCloseable {
    /** Bytes that are exchanged at a time. */
    private static final long CHUNK = 1 << 24;

    private final Backend backend;
    private final double decay;
    private final Slab average;

    /** @param average memory of the same shape as the weights, which are copied to it */
    AverageWeights(Backend backend, double decay, Slab average, Slab weights) {
        this.backend = backend;
        this.decay = decay;
        this.average = average;
        backend.copy(whole(average), whole(weights));
    }

    private Tensor whole(Slab slab) {
        return slab.whole(backend.computeType());
    }

    void update(Slab weights) {
        backend.combine(whole(average), decay, whole(weights), 1 - decay);
    }

    Slab slab() {
        return average;
    }

    /** Does something while the weights are the average, and the average the weights. */
    void inPlaceOf(Slab weights, Runnable action) {
        exchange(whole(weights), whole(average));
        try {
            action.run();
        } finally {
            exchange(whole(weights), whole(average));
        }
    }

    private void exchange(Tensor a, Tensor b) {
        long most = CHUNK / a.type().bytes();
        try (Buffer memory =
                backend.allocate(Math.min(most, a.size()) * a.type().bytes())) {
            for (long first = 0; first < a.size(); first += most) {
                long count = Math.min(most, a.size() - first);
                Tensor kept = new Tensor("exchanged", memory, 0, a.type(), count);
                backend.copy(kept, a.rows(first, count));
                backend.copy(a.rows(first, count), b.rows(first, count));
                backend.copy(b.rows(first, count), kept);
            }
        }
    }

    @Override
    public void close() {
        average.close();
    }
}
