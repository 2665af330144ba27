package org.calm4j.engine.train;

import java.util.Map;
import java.util.stream.Collectors;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.Parameters;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.tensor.Slab;
import org.calm4j.engine.tensor.Tensor;

/**
 * A reference model that follows the trained one: after every so many steps {@code π_ref ← α·π + (1−α)·π_ref}, weight by weight. Trust region
 * DPO (Gorbatovski et al. 2024, arXiv 2404.09656, eqs. 3 and 4); α of 1 is its hard update. It is part of a run's state.
 */
public final class SyncedReference implements AutoCloseable {
    private static final int PIECE = 1 << 16;

    private final Backend backend;
    private final Parameters parameters;
    private final CausalLm model;
    private final double mixupAlpha;
    private final int syncSteps;

    /**
     * @param start is copied; of the same shape as the trained model
     * @param mixupAlpha from 0 to 1
     * @param syncSteps steps between updates
     */
    public SyncedReference(CausalLm start, double mixupAlpha, int syncSteps) {
        backend = start.backend();
        this.mixupAlpha = mixupAlpha;
        this.syncSteps = syncSteps;
        parameters = new Parameters(backend, start.config());
        model = new CausalLm(start.config(), parameters, null);
        Map<String, Tensor> from = start.parameters().tensors().stream()
                .collect(Collectors.toMap(Tensor::name, tensor -> tensor, (first, _) -> first));
        for (Tensor to : slab().tensors()) {
            backend.copy(to, from.get(to.name()));
        }
        backend.markTrained(slab());
    }

    CausalLm model() {
        return model;
    }

    Slab slab() {
        return parameters.slab();
    }

    /** @param step taken, counted from 1 */
    void after(int step, Slab trained) {
        if (step % syncSteps != 0) {
            return;
        }
        Tensor from = trained.whole(backend.computeType());
        Tensor to = slab().whole(backend.computeType());
        double[] policy = new double[PIECE];
        double[] reference = new double[PIECE];
        for (long at = 0; at < to.size(); at += PIECE) {
            int count = (int) Math.min(PIECE, to.size() - at);
            backend.read(policy, from.rows(at, count), count);
            backend.read(reference, to.rows(at, count), count);
            for (int i = 0; i < count; i++) {
                reference[i] = mixupAlpha * policy[i] + (1 - mixupAlpha) * reference[i];
            }
            backend.write(to.rows(at, count), reference, count);
        }
    }

    @Override
    public void close() {
        parameters.close();
    }
}
