package org.calm4j.engine.train.optim;

import com.fasterxml.jackson.annotation.JsonValue;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.calm4j.engine.Setting;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.op.AdamW;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Slab;
import org.calm4j.engine.tensor.Tensor;
import org.calm4j.engine.train.division.Collectives;
import org.calm4j.engine.train.division.Division;

/**
 * How a step changes the weights by their gradient: a file for each optimizer, a record of its settings that makes the {@link OptimizerState}.
 * Settings of AdamW that others share are told to all ({@link Settings}).
 */
public sealed interface Optimizer permits PlainAdamW, Muon, ScheduleFreeAdamW {
    /** Names as those of transformers' {@code optim}. */
    enum Kind {
        ADAMW,
        MUON,
        SCHEDULE_FREE_ADAMW;

        @Override
        @JsonValue
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /**
     * What an optimizer is told of a run.
     *
     * @param seed of rounding at random
     */
    record Settings(UpdateSettings update, AdamW adamW, long seed) {}

    Kind kind();

    /** Whether ranks can divide what it keeps. */
    default boolean divides() {
        return false;
    }

    /**
     * Finds before anything is read what it does not go with.
     *
     * @param divided among ranks
     * @throws org.calm4j.engine.CalmException wrong usage
     */
    default void check(UpdateSettings update, AdamW adamW, Schedule.Kind schedule, boolean divided) {
        Setting own = Setting.of("optimizer").at(kind());
        Setting.of("zero").check(!divided || divides(), "does not go with ", own);
        Setting.of("optimizer_memory")
                .check(
                        memories(divided).contains(update.memory()),
                        "does not go with ",
                        divided ? Setting.of("zero").at(1) : own);
    }

    /**
     * What it takes, beside weights and gradients.
     *
     * @param trained shapes by name
     */
    long bytes(OptimizerMemory memory, ModelConfig config, Map<String, long[]> trained, DType compute);

    /**
     * How its moments can be kept, from the most memory to the least.
     *
     * @param divided among ranks
     */
    default List<OptimizerMemory> memories(boolean divided) {
        return List.of(OptimizerMemory.F32);
    }

    /**
     * Begins a training; what it does not go with is refused before.
     *
     * @param weights all that are trained
     */
    OptimizerState begin(CausalLm model, Settings settings, Slab weights, Collectives collectives, Division division);

    /** The peak learning rate of a weight where it is not that of the run; null otherwise. */
    default Double peak(ModelConfig config, Tensor weight) {
        return null;
    }

    /** Bytes of weights in one slab. */
    static long bytes(Map<String, long[]> shapes, DType type) {
        return Slab.Plan.of(shapes, type).bytes();
    }

    /** A zeroed number for each element of these weights, under their names. */
    static Slab zeros(Backend backend, List<Tensor> weights) {
        Slab.Plan plan = new Slab.Plan();
        weights.forEach(weight -> plan.add(weight.name(), backend.computeType(), weight.shape()));
        return plan.allocate(backend::allocate);
    }
}
