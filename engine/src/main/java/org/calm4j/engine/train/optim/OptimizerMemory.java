package org.calm4j.engine.train.optim;

import com.fasterxml.jackson.annotation.JsonValue;
import java.util.Collection;
import java.util.Locale;
import java.util.Map;
import java.util.stream.LongStream;
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
        return packs(weight.size());
    }

    private boolean packs(long size) {
        return this != F32 && size >= LEAST;
    }

    /** What both moments of these weights take, with the stretch of both that is unpacked at a time. */
    long bytes(Map<String, long[]> weights, DType compute) {
        return 2 * (plan(weights, compute).bytes() + unpacked(weights.values()) * compute.bytes());
    }

    /** Elements of the longest stretch that is unpacked; 0 where nothing is packed. */
    long unpacked(Collection<long[]> shapes) {
        long largest = shapes.stream()
                .mapToLong(OptimizerMemory::size)
                .filter(this::packs)
                .max()
                .orElse(0);
        return Math.min(STRETCH, largest);
    }

    private static long size(long[] shape) {
        return LongStream.of(shape).reduce(1, (a, b) -> a * b);
    }

    /** The memory of a moment of these weights, under their names. */
    Slab.Plan plan(Map<String, long[]> weights, DType compute) {
        Slab.Plan plan = new Slab.Plan();
        weights.forEach((name, shape) -> {
            long size = size(shape);
            if (!packs(size)) {
                plan.add(name, compute, shape);
            } else if (this == BF16) {
                plan.add(name, DType.BF16, shape);
            } else {
                plan.add(name, DType.I32, Math.ceilDiv(size, CODES_PER_INT));
                plan.add(scales(name), compute, Math.ceilDiv(size, DynamicCode.BLOCK));
            }
        });
        return plan;
    }

    static String scales(String name) {
        return name + ".scale";
    }
}
