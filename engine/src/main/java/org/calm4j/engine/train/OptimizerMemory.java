package org.calm4j.engine.train;

import com.fasterxml.jackson.annotation.JsonValue;
import java.util.Locale;
import org.calm4j.engine.op.DynamicCode;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Slab;
import org.calm4j.engine.tensor.Tensor;

/** How AdamW's moments are kept between steps. Weights of fewer than {@link #LEAST} elements have F32 in any case. */
public enum OptimizerMemory {
    F32,
    /** Half of it, rounded at random: to nearest, a second moment would stop moving. */
    BF16,
    /** A quarter: codes with a scale for each {@value DynamicCode#BLOCK} elements (Dettmers et al. 2022). */
    EIGHT_BIT;

    static final int LEAST = 4096;
    /** Elements that are unpacked at a time. */
    static final long STRETCH = 1 << 22;

    private static final int CODES_PER_INT = 4;

    @Override
    @JsonValue
    public String toString() {
        return this == EIGHT_BIT ? "8bit" : name().toLowerCase(Locale.ROOT);
    }

    boolean packs(Tensor weight) {
        return this != F32 && weight.size() >= LEAST;
    }

    /** What moments of so many bytes of F32 take, with the stretch of both that is unpacked at a time. */
    long bytes(long unpacked) {
        long stretch = Math.min(unpacked, 2 * STRETCH * Float.BYTES);
        return switch (this) {
            case F32 -> unpacked;
            case BF16 -> unpacked / 2 + stretch;
            case EIGHT_BIT -> unpacked / CODES_PER_INT + unpacked / DynamicCode.BLOCK + stretch;
        };
    }

    /** The memory of a moment of these weights, under their names. */
    Slab.Plan plan(Slab weights, DType compute) {
        Slab.Plan plan = new Slab.Plan();
        for (Tensor weight : weights.tensors()) {
            if (!packs(weight)) {
                plan.add(weight.name(), compute, weight.shape());
            } else if (this == BF16) {
                plan.add(weight.name(), DType.BF16, weight.shape());
            } else {
                plan.add(weight.name(), DType.I32, Math.ceilDiv(weight.size(), CODES_PER_INT));
                plan.add(scales(weight.name()), compute, Math.ceilDiv(weight.size(), DynamicCode.BLOCK));
            }
        }
        return plan;
    }

    static String scales(String name) {
        return name + ".scale";
    }
}
