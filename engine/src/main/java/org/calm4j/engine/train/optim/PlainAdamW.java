package org.calm4j.engine.train.optim;

import java.util.List;
import java.util.Map;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Slab;
import org.calm4j.engine.train.division.Collectives;
import org.calm4j.engine.train.division.Division;

/** AdamW (Loshchilov &amp; Hutter 2019), with both moments in F32 or in fewer bits. */
public record PlainAdamW() implements Optimizer {
    @Override
    public Kind kind() {
        return Kind.ADAMW;
    }

    @Override
    public boolean divides() {
        return true;
    }

    @Override
    public long bytes(OptimizerMemory memory, ModelConfig config, Map<String, long[]> trained, DType compute) {
        return memory.bytes(trained, compute);
    }

    @Override
    public List<OptimizerMemory> memories(boolean divided) {
        return divided ? List.of(OptimizerMemory.F32) : List.of(OptimizerMemory.values());
    }

    @Override
    public OptimizerState begin(
            CausalLm model, Settings settings, Slab weights, Collectives collectives, Division division) {
        if (settings.update().memory() == OptimizerMemory.F32) {
            return new DividedAdamW(model.backend(), settings.adamW(), weights, collectives, division);
        }
        return new PackedAdamW(model.backend(), settings, weights);
    }
}
