package org.calm4j.engine.train;

import java.util.Locale;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.model.Activations;
import org.calm4j.engine.model.Lora;
import org.calm4j.engine.model.LoraSettings;
import org.calm4j.engine.model.Parameters;
import org.calm4j.engine.tensor.DType;

/**
 * Bytes that training takes from its device, all of them before the first step. Operations need more while they run:
 * {@link #WORKING}. Rounded copies of frozen weights are not planned: they use spare memory and free it on demand.
 *
 * @param frozen weights that are not trained, in their stored type
 * @param trained weights that are
 * @param gradients of the trained weights
 * @param moments of the trained weights, both
 * @param rounded copies of the trained weights for products that round their operands
 */
public record MemoryPlan(long frozen, long trained, long gradients, long moments, long rounded, long activations) {
    /** For the driver, operands rounded for a product, and a chunk of the logits. */
    public static final long WORKING = 1L << 30;

    /** @param keepsRounded whether products round their operands */
    static MemoryPlan of(long frozen, long trained, boolean keepsRounded, long activations) {
        return new MemoryPlan(frozen, trained, trained, 2 * trained, keepsRounded ? trained / 2 : 0, activations);
    }

    /**
     * From the config alone.
     *
     * @param stored the type of weights that are frozen
     * @param lora null where all weights are trained
     * @param keepsRounded whether products round their operands to BF16
     */
    public static MemoryPlan of(
            ModelConfig config,
            DType stored,
            LoraSettings lora,
            boolean keepsRounded,
            Activations.Purpose purpose,
            Activations.Capacity capacity) {
        long activations = Activations.bytes(config, DType.F32, purpose, capacity);
        return lora == null
                ? of(0, Parameters.bytes(config, DType.F32), keepsRounded, activations)
                : of(Parameters.bytes(config, stored), Lora.bytes(config, lora, DType.F32), keepsRounded, activations);
    }

    public long total() {
        return frozen + trained + gradients + moments + rounded + activations;
    }

    /** One line for the user, in GB, or in MB if the total is less than 1 GB. */
    @Override
    public String toString() {
        double unit = total() < 1e9 ? 1e6 : 1e9;
        String name = unit == 1e6 ? " MB" : " GB";
        return "memory: " + (frozen == 0 ? "" : in(unit, frozen) + name + " frozen weights, ") + in(unit, trained)
                + name + " trained weights, "
                + in(unit, gradients) + " gradients, " + in(unit, moments) + " moments, "
                + (rounded == 0 ? "" : in(unit, rounded) + " rounded copies, ") + in(unit, activations)
                + " activations; "
                + in(unit, total()) + name + " in all, and about " + in(1e9, WORKING) + " GB for running operations";
    }

    private static String in(double unit, long bytes) {
        return String.format(Locale.ROOT, "%.2f", bytes / unit);
    }
}
