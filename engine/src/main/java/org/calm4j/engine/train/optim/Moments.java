package org.calm4j.engine.train.optim;

import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.DynamicCode;
import org.calm4j.engine.random.CounterRandom;
import org.calm4j.engine.tensor.Slab;
import org.calm4j.engine.tensor.Tensor;

/** One of AdamW's two moments of all trained weights, as it is kept between steps. */
final class Moments implements AutoCloseable {
    private static final int CODES_PER_INT = 4;

    private final Backend backend;
    private final OptimizerMemory memory;
    private final Slab slab;
    private final boolean signed;
    private final long seed;

    /** @param signed whether it may be below zero */
    Moments(Backend backend, OptimizerMemory memory, Slab weights, boolean signed, long seed) {
        this.backend = backend;
        this.memory = memory;
        this.signed = signed;
        this.seed = CounterRandom.seed(seed, signed ? "first moment" : "second moment");
        slab = memory.plan(weights.shapes(), backend.computeType()).allocate(backend::allocate);
    }

    Slab slab() {
        return slab;
    }

    /** Of a weight that is not packed. */
    Tensor of(Tensor weight) {
        return slab.get(weight.name());
    }

    /**
     * Elements of a packed weight's moment.
     *
     * @param to as many elements as are wanted
     * @param first a multiple of {@link DynamicCode#BLOCK}
     */
    void unpack(Tensor to, Tensor weight, long first) {
        if (memory == OptimizerMemory.BF16) {
            backend.copy(to, row(weight).rows(first, to.size()));
        } else {
            backend.dequantize(to, codes(weight, first, to.size()), scales(weight, first, to.size()), signed);
        }
    }

    /** The same back; what is cut off follows from the seed, the step and the element alone. */
    void pack(Tensor weight, long first, Tensor from, int step) {
        if (memory == OptimizerMemory.BF16) {
            long key = CounterRandom.seed(CounterRandom.seed(seed, weight.name()), step);
            backend.roundRandomly(row(weight).rows(first, from.size()), from, key, first);
        } else {
            backend.quantize(codes(weight, first, from.size()), scales(weight, first, from.size()), from, signed);
        }
    }

    private Tensor row(Tensor weight) {
        Tensor moment = slab.get(weight.name());
        return moment.view(moment.size());
    }

    private Tensor codes(Tensor weight, long first, long count) {
        return row(weight).rows(first / CODES_PER_INT, Math.ceilDiv(count, CODES_PER_INT));
    }

    private Tensor scales(Tensor weight, long first, long count) {
        return slab.get(OptimizerMemory.scales(weight.name()))
                .rows(first / DynamicCode.BLOCK, Math.ceilDiv(count, DynamicCode.BLOCK));
    }

    @Override
    public void close() {
        slab.close();
    }
}
