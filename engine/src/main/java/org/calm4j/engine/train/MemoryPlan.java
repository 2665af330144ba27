package org.calm4j.engine.train;

import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.config.WeightLayout;
import org.calm4j.engine.model.Activations;
import org.calm4j.engine.model.Lora;
import org.calm4j.engine.model.LoraSettings;
import org.calm4j.engine.model.Parameters;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Slab;
import org.calm4j.engine.train.division.Collectives;
import org.calm4j.engine.train.division.Division;
import org.calm4j.engine.train.division.SumTree;
import org.calm4j.engine.train.optim.UpdateSettings;

/**
 * Bytes that training takes from its device, known before the first step.
 *
 * @param frozen weights that are not trained, in their stored type; on the CPU a mapped file
 * @param trained weights that are
 * @param gradients of the trained weights
 * @param moments what the optimizer keeps of the trained weights: AdamW both moments
 * @param average of the trained weights, where it is kept beside them
 * @param rounded copies of the trained weights for products that round their operands
 * @param activations of the largest pass, kept logits included
 * @param reference what its log-probabilities need before the first step, in place of what comes after the weights here
 * @param copies of frozen weights that make products faster, where memory is left over: not needed, and given up on a device
 * @param working what operations take while they run
 */
public record MemoryPlan(
        long frozen,
        long trained,
        long gradients,
        long moments,
        long average,
        long rounded,
        long activations,
        long reference,
        long copies,
        long working) {
    private static final double GIGABYTE = 1e9;
    private static final double MEGABYTE = 1e6;

    /**
     * @param frozen bytes
     * @param weights shapes of those that are trained, by name
     * @param reference bytes of the activations of scoring pairs; 0 without
     */
    static MemoryPlan of(
            Backend backend,
            UpdateSettings update,
            ModelConfig config,
            long frozen,
            Map<String, long[]> weights,
            long activations,
            long reference,
            long copies) {
        long trained = Slab.Plan.of(weights, backend.computeType()).bytes();
        return new MemoryPlan(
                frozen,
                trained,
                trained,
                update.optimizer().bytes(update.memory(), config, weights, backend.computeType()),
                update.emaDecay() > 0 ? trained : 0,
                backend.keepsRounded() ? trained / 2 : 0,
                activations,
                reference,
                copies,
                backend.workingBytes());
    }

    /**
     * From the config alone, without a reference.
     *
     * @param stored the type of weights that are frozen
     * @param lora null where all weights are trained
     */
    public static MemoryPlan of(
            Backend backend,
            ModelConfig config,
            DType stored,
            LoraSettings lora,
            Activations.Purpose purpose,
            Activations.Capacity capacity) {
        long activations = Activations.bytes(backend, config, purpose, capacity);
        return lora == null
                ? of(backend, UpdateSettings.DEFAULT, config, 0, config.shapes(), activations, 0, 0)
                : of(
                        backend,
                        UpdateSettings.DEFAULT,
                        config,
                        Parameters.bytes(config, stored),
                        Lora.shapes(config, lora),
                        activations,
                        0,
                        copies(backend, config));
    }

    /** The same with gradients that wait for their sum, and the moments that one rank has. */
    MemoryPlan dividedBy(Division division) {
        return new MemoryPlan(
                frozen,
                trained,
                SumTree.blocks(division) * gradients + Collectives.bytes(division.ranks()),
                division.dividesMoments() ? moments / division.ranks().size() : moments,
                average,
                rounded,
                activations,
                reference,
                copies,
                working);
    }

    /** Copies of all frozen weights: of those of blocks for products forward and backward, of the head for those forward. */
    static long copies(Backend backend, ModelConfig config) {
        String embedding = config.layout().embedding();
        String head = config.shapes().containsKey(WeightLayout.HEAD) ? WeightLayout.HEAD : embedding;
        long all = 0;
        for (Map.Entry<String, long[]> weight : config.shapes().entrySet()) {
            String name = weight.getKey();
            long[] shape = weight.getValue();
            // Embeddings are read row by row, unless they are the head too.
            if (name.equals(head)
                    || shape.length == 2
                            && !Set.of(embedding, positions(config)).contains(name)) {
                long both = backend.frozenCopyBytes(shape[0], shape[1]);
                all += name.equals(head) ? both / 2 : both;
            }
        }
        return all;
    }

    private static String positions(ModelConfig config) {
        return config.layout().positions() == null ? "" : config.layout().positions();
    }

    /** What must be there at the peak: copies that only save time are not counted. */
    public long total() {
        return frozen + trained + Math.max(later(), reference) + working;
    }

    /** What takes the reference's place after it has scored. */
    private long later() {
        return gradients + moments + average + rounded + activations;
    }

    /** What is taken at the peak where there is room for copies of frozen weights too. */
    public long peak() {
        return total() + copies;
    }

    /** One line for the user, in GB, or in MB if the total is less than 1 GB. */
    @Override
    public String toString() {
        double unit = total() < GIGABYTE ? MEGABYTE : GIGABYTE;
        String name = unit == MEGABYTE ? " MB" : " GB";
        return in(unit, total()) + name + " (" + parts(unit) + ")"
                + (copies == 0
                        ? ""
                        : ", and " + in(unit, copies) + " for faster copies of frozen weights where it is left over");
    }

    private String parts(double unit) {
        return Stream.of(
                        part(unit, frozen, "frozen weights"),
                        part(unit, trained, "trained weights"),
                        part(unit, gradients, "gradients"),
                        part(unit, moments, "moments"),
                        part(unit, average, "average"),
                        part(unit, rounded, "rounded copies"),
                        part(unit, activations, "activations"),
                        part(unit, working, "working"),
                        reference <= later()
                                ? ""
                                : "or " + part(unit, reference, "in their place before, for the reference"))
                .filter(text -> !text.isEmpty())
                .collect(Collectors.joining(", "));
    }

    private static String part(double unit, long bytes, String name) {
        return bytes == 0 ? "" : in(unit, bytes) + " " + name;
    }

    /** Such as {@code 23.50 GB}. */
    public static String gigabytes(long bytes) {
        return in(GIGABYTE, bytes) + " GB";
    }

    private static String in(double unit, long bytes) {
        return String.format(Locale.ROOT, "%.2f", bytes / unit);
    }
}
