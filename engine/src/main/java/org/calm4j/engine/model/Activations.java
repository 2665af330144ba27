package org.calm4j.engine.model;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.Draws;
import org.calm4j.engine.op.TokenFilter;
import org.calm4j.engine.tensor.Block;
import org.calm4j.engine.tensor.Buffer;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;

/**
 * Everything a pass computes, planned once for the largest batch that will come; {@link #fit} then makes the views of a batch's size.
 *
 * <p>With gradient checkpointing only each layer's input is kept, and all layers share the memory of the rest, which the backward pass
 * computes anew.
 */
public final class Activations implements AutoCloseable {
    /** Bytes up to which logits are kept for the backward pass. */
    private static final long MOST_LOGITS = 256L << 20;

    /** What the activations must hold. */
    public enum Purpose {
        /** The forward pass alone: layers share their memory. */
        INFERENCE,
        /** Forward and backward. */
        TRAINING,
        /** Forward and backward, with less memory and one more forward pass. */
        CHECKPOINTING
    }

    /**
     * The largest batch.
     *
     * @param rows T
     * @param scored N
     * @param positions length of the longest sequence
     * @param logits rows of logits for generation; 0 where none are wanted
     * @param loraRank R; 0 without an adapter
     */
    public record Capacity(int rows, int scored, int positions, int logits, int loraRank) {}

    /** One layer. (T,C) unless said otherwise. */
    static final class Layer {
        /** The residual stream that comes in; until this layer's first norm, what the block before adds to it. */
        Tensor input;

        Tensor norm1;
        /** (T); null without LayerNorm. */
        Tensor mean1;
        /** (T). */
        Tensor rstd1;
        /** (T,H·D), normed and turned. */
        Tensor q;
        /** (T,G·D), normed and turned. */
        Tensor k;
        /** (T,H·D), before the norm of heads; q itself without one. */
        Tensor rawQ;
        /** (T,G·D), before the norm of heads; k itself without one. */
        Tensor rawK;
        /** (T,H); null without norms of heads. */
        Tensor rstdQ;
        /** (T,G); null without norms of heads. */
        Tensor rstdK;
        /** (T,G·D). */
        Tensor v;
        /** (T,H·D). */
        Tensor attention;
        /** (T,H). */
        Tensor lse;
        /** The residual stream after attention; until the second norm, what attention adds to it. */
        Tensor middle;

        Tensor norm2;
        /** (T); null without LayerNorm. */
        Tensor mean2;
        /** (T). */
        Tensor rstd2;
        /** (T,F); null in a feed-forward layer without a gate. */
        Tensor gate;
        /** (T,F). */
        Tensor up;
        /** (T,F), what {@link Projection#DOWN} reads. */
        Tensor activated;
        /** x·Aᵀ (T,R), with the largest rank. */
        final Map<Projection, Tensor> low = new EnumMap<>(Projection.class);
    }

    private final ModelConfig config;
    private final Backend backend;
    private final Purpose purpose;
    private final Capacity capacity;
    private final Block memory;
    /** Of {@link #keptLogits}. */
    private final Buffer logitsMemory;

    private int rows = -1;
    private int scored = -1;

    final List<Layer> layers = new ArrayList<>();
    /** What the last layer's feed-forward part adds to the residual stream. */
    Tensor output;

    Tensor tokens;
    Tensor positions;
    /** (T) I32: where decoding keeps keys and values. */
    Tensor cacheRows;
    /** (N) I32: the rows that are scored. */
    Tensor scoredRows;
    /** (N) I32. */
    Tensor targets;
    /** (N,C): scored rows of the residual stream behind the last layer. */
    Tensor gathered;

    Tensor norm;
    /** (N); null without LayerNorm. */
    Tensor mean;

    Tensor rstd;
    Tensor logProb;
    Tensor logProbLse;
    /** (N): the gradient of the loss with respect to each log-probability. */
    Tensor coefficient;

    Tensor logits;
    /** What the backend keeps of the logits between forward and backward; null where it computes them anew. */
    Tensor keptLogits;
    /** (P,R/2), the rotary angles' cosines and sines; null where positions are learned. */
    final Tensor cosine;

    final Tensor sine;
    /** (T,3·C), queries, keys and values of one product, and their gradients; null where they are apart. */
    Tensor fused;
    /** (T) I32: the rows of fused, seen as (3·T,C), that are queries, keys, values. */
    Tensor fusedQ;

    Tensor fusedK;
    Tensor fusedV;

    // Gradients, shared by all layers.
    Tensor dGathered;
    Tensor dNorm;
    Tensor dResidual;
    Tensor dHidden;
    Tensor dAttention;
    Tensor dQ;
    Tensor dK;
    Tensor dV;
    /** Before the norm of heads; dQ and dK without one. */
    Tensor dRawQ;

    Tensor dRawK;
    /** Null in a feed-forward layer without a gate. */
    Tensor dGate;

    Tensor dUp;
    Tensor dActivated;
    /** (T,R), with the largest rank. */
    private Tensor dLow;
    /** A projection's input with dropout (T, C or F or H·D). */
    private Tensor dropped;

    public Activations(Backend backend, ModelConfig config, Purpose purpose, Capacity capacity) {
        this.backend = backend;
        this.config = config;
        this.purpose = purpose;
        this.capacity = capacity;
        memory = plan(config, backend.computeType(), purpose, capacity).allocate(backend::allocate);
        logitsMemory = purpose == Purpose.TRAINING ? allocateLogits() : null;
        cosine = memory.get("cosine");
        sine = memory.get("sine");
        if (config.rope() != null) {
            writeAngles();
        }
        if (isFused(config)) {
            writeFusedRows();
        }
    }

    private Buffer allocateLogits() {
        long bytes = backend.keptLogits(capacity.scored(), config.vocabSize())
                * backend.computeType().bytes();
        return bytes == 0 || bytes > MOST_LOGITS ? null : backend.allocate(bytes);
    }

    /** Bytes that such activations take, without logits that are kept. */
    public static long bytes(ModelConfig config, DType type, Purpose purpose, Capacity capacity) {
        return plan(config, type, purpose, capacity).bytes();
    }

    private static Block.Plan plan(ModelConfig config, DType type, Purpose purpose, Capacity capacity) {
        Block.Plan plan = new Block.Plan();
        int t = capacity.rows();
        int n = capacity.scored();
        int c = config.hiddenSize();
        int q = config.heads() * config.headDim();
        int kv = config.keyValueHeads() * config.headDim();
        int f = config.intermediateSize();
        for (int l = 0; l < (purpose == Purpose.INFERENCE ? 1 : config.layers()); l++) {
            plan.add("input." + l, type, t, c);
        }
        for (int l = 0; l < (purpose == Purpose.TRAINING ? config.layers() : 1); l++) {
            for (String name : List.of("norm1.", "middle.", "norm2.")) {
                plan.add(name + l, type, t, c);
            }
            plan.add("rstd1." + l, type, t).add("rstd2." + l, type, t).add("lse." + l, type, t, config.heads());
            if (config.family().layerNorm()) {
                plan.add("mean1." + l, type, t).add("mean2." + l, type, t);
            }
            plan.add("q." + l, type, t, q)
                    .add("k." + l, type, t, kv)
                    .add("v." + l, type, t, kv)
                    .add("attention." + l, type, t, q);
            if (config.headNorms()) {
                plan.add("rawQ." + l, type, t, q).add("rawK." + l, type, t, kv);
                plan.add("rstdQ." + l, type, t, config.heads()).add("rstdK." + l, type, t, config.keyValueHeads());
            }
            if (isGated(config)) {
                plan.add("gate." + l, type, t, f);
            }
            plan.add("up." + l, type, t, f).add("activated." + l, type, t, f);
            if (capacity.loraRank() > 0) {
                for (Projection projection : config.family().projections()) {
                    plan.add("low." + projection + "." + l, type, t, capacity.loraRank());
                }
            }
        }
        plan.add("output", type, t, c);
        plan.add("tokens", DType.I32, t).add("positions", DType.I32, t).add("cacheRows", DType.I32, t);
        plan.add("scoredRows", DType.I32, n).add("targets", DType.I32, n);
        for (String name : List.of("gathered", "norm")) {
            plan.add(name, type, n, c);
        }
        for (String name : List.of("mean", "rstd", "logProb", "logProbLse", "coefficient")) {
            plan.add(name, type, n);
        }
        plan.add("logits", type, capacity.logits(), config.vocabSize());
        if (config.rope() != null) {
            int pairs = config.rope().frequencies().length;
            plan.add("cosine", type, capacity.positions(), pairs).add("sine", type, capacity.positions(), pairs);
        }
        if (isFused(config)) {
            plan.add("fused", type, t, q + 2L * kv);
            plan.add("fusedQ", DType.I32, t).add("fusedK", DType.I32, t).add("fusedV", DType.I32, t);
        }
        if (purpose != Purpose.INFERENCE) {
            plan.add("dGathered", type, n, c).add("dNorm", type, n, c);
            plan.add("dResidual", type, t, c).add("dHidden", type, t, c);
            plan.add("dAttention", type, t, q)
                    .add("dQ", type, t, q)
                    .add("dK", type, t, kv)
                    .add("dV", type, t, kv);
            if (config.headNorms()) {
                plan.add("dRawQ", type, t, q).add("dRawK", type, t, kv);
            }
            if (isGated(config)) {
                plan.add("dGate", type, t, f);
            }
            plan.add("dUp", type, t, f).add("dActivated", type, t, f);
            if (capacity.loraRank() > 0) {
                plan.add("dLow", type, t, capacity.loraRank());
            }
        }
        if (capacity.loraRank() > 0) {
            plan.add("dropped", type, t, Math.max(Math.max(c, f), q));
        }
        return plan;
    }

    private static boolean isFused(ModelConfig config) {
        return config.family().projections().contains(Projection.QKV);
    }

    private static boolean isGated(ModelConfig config) {
        return config.family().projections().contains(Projection.GATE);
    }

    private void writeFusedRows() {
        int[] rows = new int[capacity.rows()];
        for (String name : List.of("fusedQ", "fusedK", "fusedV")) {
            int first = "QKV".indexOf(name.charAt(name.length() - 1));
            Arrays.setAll(rows, t -> 3 * t + first);
            backend.write(memory.get(name), rows, rows.length);
        }
    }

    private void writeAngles() {
        double[] frequencies = config.rope().frequencies();
        double[] cosines = new double[Math.multiplyExact(capacity.positions(), frequencies.length)];
        double[] sines = new double[cosines.length];
        for (int i = 0; i < cosines.length; i++) {
            double angle = i / frequencies.length * frequencies[i % frequencies.length];
            cosines[i] = Math.cos(angle) * config.rope().attentionFactor();
            sines[i] = Math.sin(angle) * config.rope().attentionFactor();
        }
        backend.write(cosine, cosines, cosines.length);
        backend.write(sine, sines, sines.length);
    }

    public Capacity capacity() {
        return capacity;
    }

    Purpose purpose() {
        return purpose;
    }

    /** Makes the views of a batch's size. */
    void fit(int rows, int scored) {
        if (rows > capacity.rows() || scored > capacity.scored()) {
            throw new IllegalArgumentException(
                    "a batch of " + rows + " rows and " + scored + " scores, planned were " + capacity);
        }
        if (this.rows != rows) {
            this.rows = rows;
            fitRows();
        }
        if (this.scored != scored) {
            this.scored = scored;
            fitScored();
        }
    }

    private void fitRows() {
        layers.clear();
        for (int l = 0; l < config.layers(); l++) {
            int own = purpose == Purpose.TRAINING ? l : 0;
            Layer layer = new Layer();
            layer.input = rows("input." + (purpose == Purpose.INFERENCE ? 0 : l));
            layer.norm1 = rows("norm1." + own);
            layer.mean1 = rows("mean1." + own);
            layer.rstd1 = rows("rstd1." + own);
            layer.q = rows("q." + own);
            layer.k = rows("k." + own);
            layer.rawQ = config.headNorms() ? rows("rawQ." + own) : layer.q;
            layer.rawK = config.headNorms() ? rows("rawK." + own) : layer.k;
            layer.rstdQ = rows("rstdQ." + own);
            layer.rstdK = rows("rstdK." + own);
            layer.v = rows("v." + own);
            layer.attention = rows("attention." + own);
            layer.lse = rows("lse." + own);
            layer.middle = rows("middle." + own);
            layer.norm2 = rows("norm2." + own);
            layer.mean2 = rows("mean2." + own);
            layer.rstd2 = rows("rstd2." + own);
            layer.gate = rows("gate." + own);
            layer.up = rows("up." + own);
            layer.activated = rows("activated." + own);
            if (capacity.loraRank() > 0) {
                for (Projection projection : config.family().projections()) {
                    layer.low.put(projection, rows("low." + projection + "." + own));
                }
            }
            layers.add(layer);
        }
        output = rows("output");
        tokens = rows("tokens");
        positions = rows("positions");
        cacheRows = rows("cacheRows");
        fused = rows("fused");
        fusedQ = rows("fusedQ");
        fusedK = rows("fusedK");
        fusedV = rows("fusedV");
        if (purpose != Purpose.INFERENCE) {
            dResidual = rows("dResidual");
            dHidden = rows("dHidden");
            dAttention = rows("dAttention");
            dQ = rows("dQ");
            dK = rows("dK");
            dV = rows("dV");
            dRawQ = config.headNorms() ? rows("dRawQ") : dQ;
            dRawK = config.headNorms() ? rows("dRawK") : dK;
            dGate = rows("dGate");
            dUp = rows("dUp");
            dActivated = rows("dActivated");
        }
        if (capacity.loraRank() > 0) {
            dLow = purpose == Purpose.INFERENCE ? null : rows("dLow");
            dropped = memory.get("dropped");
        }
    }

    private void fitScored() {
        scoredRows = scored("scoredRows");
        targets = scored("targets");
        gathered = scored("gathered");
        norm = scored("norm");
        mean = scored("mean");
        rstd = scored("rstd");
        logProb = scored("logProb");
        logProbLse = scored("logProbLse");
        coefficient = scored("coefficient");
        keptLogits = logitsMemory == null
                ? null
                : new Tensor(
                        "keptLogits",
                        logitsMemory,
                        0,
                        backend.computeType(),
                        backend.keptLogits(scored, config.vocabSize()));
        logits = capacity.logits() == 0 ? null : memory.get("logits").rows(0, Math.min(scored, capacity.logits()));
        if (purpose != Purpose.INFERENCE) {
            dGathered = scored("dGathered");
            dNorm = scored("dNorm");
        }
    }

    /** Null where there is none of that name. */
    private Tensor rows(String name) {
        return memory.get(name) == null ? null : memory.get(name).rows(0, rows);
    }

    private Tensor scored(String name) {
        return memory.get(name).rows(0, scored);
    }

    /** The log-probabilities of the last forward pass, in the batch's order; returns how many. */
    public int readLogProbs(double[] to) {
        backend.read(to, logProb, scored);
        return scored;
    }

    /** Draws from the logits of the last decoding pass (N,V). */
    public void sample(Draws draws, TokenFilter filter) {
        backend.sample(draws, logits, filter);
    }

    /** Scratch of a projection's input size (T,I). */
    Tensor dropped(int width) {
        return narrowed(dropped, width);
    }

    /** A projection's x·Aᵀ (T,R). */
    Tensor low(int layer, Projection projection, int rank) {
        return narrowed(layers.get(layer).low.get(projection), rank);
    }

    /** (T,R). */
    Tensor dLow(int rank) {
        return narrowed(dLow, rank);
    }

    /** The first part of the memory as rows of that width. */
    private Tensor narrowed(Tensor memory, int width) {
        return new Tensor(memory.name(), memory.buffer(), memory.offset(), memory.type(), rows, width);
    }

    @Override
    public void close() {
        memory.close();
        if (logitsMemory != null) {
            logitsMemory.close();
        }
    }
}
