package org.calm4j.engine.model;

import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.IntStream;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.Draws;
import org.calm4j.engine.op.TokenFilter;
import org.calm4j.engine.op.TokenStatistic;
import org.calm4j.engine.tensor.Buffer;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Slab;
import org.calm4j.engine.tensor.Tensor;

/**
 * The memory of everything a pass computes, planned once for the largest batch; {@link #fit} then makes the views of a batch's size. The
 * tensors themselves are declared in {@link BatchActivations}, {@link LayerActivations} and {@link ActivationGradients}.
 */
public final class Activations implements AutoCloseable {
    /** Bytes up to which logits are kept for the backward pass. */
    private static final long MAX_KEPT_LOGITS = 256L << 20;

    /** What the activations must hold. */
    public enum Purpose {
        /** The forward pass alone: layers share their memory. */
        INFERENCE,
        /** Forward and backward. */
        TRAINING,
        /** Forward and backward; only the layers' inputs are kept, and the backward pass recomputes the rest in shared memory. */
        CHECKPOINTING
    }

    /**
     * The largest batch.
     *
     * @param rows T
     * @param scored N
     * @param positions length of the longest sequence
     * @param logits rows of logits for generation; 0 for none
     * @param loraRank R; 0 without an adapter
     * @param magnitudes whether the adapter has them (DoRA)
     */
    public record Capacity(int rows, int scored, int positions, int logits, int loraRank, boolean magnitudes) {
        /** Without magnitudes. */
        public Capacity(int rows, int scored, int positions, int logits, int loraRank) {
            this(rows, scored, positions, logits, loraRank, false);
        }

        /** For a model with its adapter. */
        public static Capacity of(CausalLm model, int rows, int scored, int positions, int logits) {
            boolean magnitudes = model.lora() != null && model.lora().hasMagnitudes();
            return new Capacity(rows, scored, positions, logits, model.loraRank(), magnitudes);
        }

        private Capacity of(int rows, int scored) {
            if (rows > this.rows || scored > this.scored) {
                throw new IllegalArgumentException(
                        "a batch of " + rows + " rows and " + scored + " scores; planned: " + this);
            }
            return new Capacity(rows, scored, positions, Math.min(scored, logits), loraRank, magnitudes);
        }
    }

    /** @param gradients null in inference */
    private record Tensors(BatchActivations batch, List<LayerActivations> layers, ActivationGradients gradients) {
        static Tensors in(Slots.Layout layout) {
            return new Tensors(
                    new BatchActivations(layout),
                    IntStream.range(0, layout.config().layers())
                            .mapToObj(l -> new LayerActivations(layout, l))
                            .toList(),
                    layout.purpose() == Purpose.INFERENCE ? null : new ActivationGradients(layout));
        }
    }

    private final ModelConfig config;
    private final Backend backend;
    private final Purpose purpose;
    private final Capacity capacity;
    private final Slab memory;
    /** Memory of {@link #keptLogits}. */
    private final Buffer logitsMemory;

    private boolean takesStatistics;
    private Capacity size;
    private Tensors tensors;
    private Tensor keptLogits;

    public Activations(Backend backend, ModelConfig config, Purpose purpose, Capacity capacity) {
        this.backend = backend;
        this.config = config;
        this.purpose = purpose;
        this.capacity = capacity;
        memory = plan(config, backend.computeType(), purpose, capacity).allocate(backend::allocate);
        logitsMemory = purpose == Purpose.TRAINING ? allocateLogits() : null;
        fit(capacity.rows(), capacity.scored());
        if (batch().cosine != null) {
            writeAngles();
        }
        if (batch().fused != null) {
            writeThirds(batch().fusedQ, 0);
            writeThirds(batch().fusedK, 1);
            writeThirds(batch().fusedV, 2);
        }
    }

    private Buffer allocateLogits() {
        long bytes = keptLogitsBytes(backend, config, capacity);
        return bytes == 0 ? null : backend.allocate(bytes);
    }

    private static long keptLogitsBytes(Backend backend, ModelConfig config, Capacity capacity) {
        long bytes = backend.keptLogits(capacity.scored(), config.vocabulary().size())
                * backend.computeType().bytes();
        return bytes > MAX_KEPT_LOGITS ? 0 : bytes;
    }

    /** Bytes of such activations. */
    public static long bytes(Backend backend, ModelConfig config, Purpose purpose, Capacity capacity) {
        return plan(config, backend.computeType(), purpose, capacity).bytes()
                + (purpose == Purpose.TRAINING ? keptLogitsBytes(backend, config, capacity) : 0);
    }

    private static Slab.Plan plan(ModelConfig config, DType type, Purpose purpose, Capacity capacity) {
        Slab.Plan plan = new Slab.Plan();
        Set<String> names = new HashSet<>();
        Function<Slot, Tensor> add = slot -> {
            if (names.add(slot.name())) {
                plan.add(slot.name(), slot.type(), slot.shape());
            }
            return null;
        };
        Tensors.in(new Slots.Layout(config, type, purpose, capacity, add));
        return plan;
    }

    private void writeAngles() {
        double[] frequencies = config.positions().rope().frequencies();
        double[] cosines = new double[Math.multiplyExact(capacity.positions(), frequencies.length)];
        double[] sines = new double[cosines.length];
        for (int i = 0; i < cosines.length; i++) {
            double angle = i / frequencies.length * frequencies[i % frequencies.length];
            cosines[i] = Math.cos(angle) * config.positions().rope().attentionFactor();
            sines[i] = Math.sin(angle) * config.positions().rope().attentionFactor();
        }
        backend.write(batch().cosine, cosines, cosines.length);
        backend.write(batch().sine, sines, sines.length);
    }

    private void writeThirds(Tensor rows, int third) {
        int[] indices = new int[capacity.rows()];
        Arrays.setAll(indices, t -> 3 * t + third);
        backend.write(rows, indices, indices.length);
    }

    /** Makes the views for a batch's size. */
    void fit(int rows, int scored) {
        Capacity size = capacity.of(rows, scored);
        if (size.equals(this.size)) {
            return;
        }
        this.size = size;
        DType type = backend.computeType();
        tensors = Tensors.in(new Slots.Layout(
                config, type, purpose, size, slot -> memory.get(slot.name()).rows(0, slot.shape()[0])));
        keptLogits = logitsMemory == null
                ? null
                : new Tensor(
                        "keptLogits",
                        logitsMemory,
                        0,
                        type,
                        backend.keptLogits(scored, config.vocabulary().size()));
    }

    public Capacity capacity() {
        return capacity;
    }

    /** Whether the backward pass recomputes each layer. */
    boolean recomputes() {
        return purpose == Purpose.CHECKPOINTING;
    }

    /** The sizes of the last {@link #fit}. */
    Capacity size() {
        return size;
    }

    BatchActivations batch() {
        return tensors.batch();
    }

    LayerActivations layer(int index) {
        return tensors.layers().get(index);
    }

    ActivationGradients gradients() {
        return tensors.gradients();
    }

    /** The logits that the backend keeps between forward and backward; null if it recomputes them. */
    Tensor keptLogits() {
        return keptLogits;
    }

    /** The log-probabilities of the last forward pass, in the batch's order; returns how many. */
    public int readLogProbs(double[] to) {
        backend.read(to, batch().logProb, size.scored());
        return size.scored();
    }

    /** Whether forward passes from here on find what {@link TokenStatistic} names; not in inference. */
    public void takeStatistics(boolean take) {
        takesStatistics = take;
    }

    /** Null where none are taken. */
    Tensor statistics() {
        return takesStatistics ? batch().statistics : null;
    }

    /** The statistics of the last forward pass, those of a target after those of the one before, in the batch's order. */
    public void readStatistics(double[] to) {
        backend.read(to, batch().statistics, size.scored() * TokenStatistic.COUNT);
    }

    /** The logits (rows,V) of the last decoding pass, {@link CausalLm#logits} or {@link Unembedding#forward}. */
    public void readLogits(double[] to) {
        backend.read(to, batch().logits, to.length);
    }

    /** Draws from the logits of the last decoding pass (N,V). */
    public void sample(Draws draws, TokenFilter filter) {
        backend.sample(draws, batch().logits, filter);
    }

    @Override
    public void close() {
        memory.close();
        if (logitsMemory != null) {
            logitsMemory.close();
        }
    }
}
