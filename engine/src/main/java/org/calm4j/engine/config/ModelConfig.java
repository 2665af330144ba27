package org.calm4j.engine.config;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;

/**
 * The shape of a model: the differences between models, as data. {@link ConfigReader} makes it from a Hugging Face {@code
 * config.json}; what fields mean there only the model's {@link Family} knows.
 *
 * @param hiddenSize C
 * @param biases projections that have one
 * @param json the whole file, so that a saved one keeps the fields that we do not use
 */
public record ModelConfig(
        int hiddenSize,
        int layers,
        Vocabulary vocabulary,
        Positions positions,
        Attention attention,
        FeedForward feedForward,
        Norm norm,
        Set<Projection> biases,
        Initialization initialization,
        WeightLayout layout,
        ObjectNode json) {
    /**
     * @param size V
     * @param tied the head is the embedding
     * @param eos tokens that end a sequence
     */
    public record Vocabulary(int size, boolean tied, List<Integer> eos) {}

    /**
     * @param limit the maximum per sequence
     * @param rope null if positions are learned
     */
    public record Positions(int limit, Rope rope) {}

    /**
     * @param heads H
     * @param keyValueHeads G, each shared by H/G heads of queries (Ainslie et al. 2023)
     * @param headDim D
     * @param windows per layer, how many keys back from a query it sees, itself included; 0 for all
     * @param scales per layer, the factor of scores
     * @param headNorms RMSNorm on each head of queries and keys
     */
    public record Attention(
            int heads, int keyValueHeads, int headDim, List<Integer> windows, List<Double> scales, boolean headNorms) {
        /** H·D, the columns of the queries. */
        public int queryWidth() {
            return heads * headDim;
        }

        /** G·D, the columns of the keys, and those of the values. */
        public int keyWidth() {
            return keyValueHeads * headDim;
        }
    }

    /** @param size F */
    public record FeedForward(int size, Activation activation) {}

    /** The function between the projections up and down. */
    public enum Activation {
        /** {@code silu(gate) · up} (Shazeer 2020). */
        SWIGLU,
        /** In the tanh form, of up alone (Hendrycks and Gimpel 2016). */
        GELU
    }

    /** The norms before attention, before the feed-forward layers and after the last block. */
    public record Norm(NormKind kind, double epsilon) {}

    public enum NormKind {
        /** Zhang and Sennrich 2019. */
        RMS_NORM,
        /** Ba et al. 2016, with biases. */
        LAYER_NORM
    }

    /**
     * The distribution of new matrices: normal around zero.
     *
     * @param deviation standard deviation
     * @param residualDeviation the same for the projections that add to the residual stream
     * @param zeroToken whose embedding is zero, as that of a padding token; -1 for none
     */
    public record Initialization(double deviation, double residualDeviation, int zeroToken) {}

    /** The same model with other end-of-sequence tokens. */
    public ModelConfig withEos(List<Integer> ids) {
        return new ModelConfig(
                hiddenSize,
                layers,
                new Vocabulary(vocabulary.size, vocabulary.tied, ids),
                positions,
                attention,
                feedForward,
                norm,
                biases,
                initialization,
                layout,
                json);
    }

    /** Whether it has the same weights and computes the same with them: whatever else the files say. */
    public boolean hasShapeOf(ModelConfig other) {
        return shape().equals(other.shape());
    }

    private ModelConfig shape() {
        return new ModelConfig(
                hiddenSize,
                layers,
                new Vocabulary(vocabulary.size, vocabulary.tied, List.of()),
                positions,
                attention,
                feedForward,
                norm,
                biases,
                null,
                layout,
                null);
    }

    /** The file of the same model with its weights stored in another type. */
    public ObjectNode toJson(DType stored) {
        ObjectNode copy = json.deepCopy();
        copy.put(
                copy.has("dtype") ? "dtype" : "torch_dtype",
                switch (stored) {
                    case BF16 -> "bfloat16";
                    case F16 -> "float16";
                    case F64 -> "float64";
                    default -> "float32";
                });
        return copy;
    }

    /** I, the columns of a projection's x. */
    public int inputSize(Projection projection) {
        return switch (projection.role()) {
            case O -> attention.queryWidth();
            case DOWN -> feedForward.size;
            default -> hiddenSize;
        };
    }

    /** O, the columns of a projection's result. */
    public int outputSize(Projection projection) {
        return switch (projection.role()) {
            case Q -> attention.queryWidth();
            case K, V -> attention.keyWidth();
            case QKV -> attention.queryWidth() + 2 * attention.keyWidth();
            case GATE, UP -> feedForward.size;
            case O, DOWN -> hiddenSize;
        };
    }

    /** Shapes of all weights by name, in their order in memory and in a saved file. */
    public Map<String, long[]> shapes() {
        Map<String, long[]> shapes = new LinkedHashMap<>();
        shapes.put(layout.embedding(), new long[] {vocabulary.size, hiddenSize});
        if (layout.positions() != null) {
            shapes.put(layout.positions(), new long[] {positions.limit, hiddenSize});
        }
        boolean biased = norm.kind == NormKind.LAYER_NORM;
        for (int l = 0; l < layers; l++) {
            addNorm(shapes, layout.norm1(l), hiddenSize, biased);
            addNorm(shapes, layout.norm2(l), hiddenSize, biased);
            if (attention.headNorms) {
                addNorm(shapes, layout.queryNorm(l), attention.headDim, false);
                addNorm(shapes, layout.keyNorm(l), attention.headDim, false);
            }
            for (Projection p : layout.projections()) {
                int in = inputSize(p);
                int out = outputSize(p);
                shapes.put(
                        layout.path(l, p) + ".weight",
                        layout.transposed() ? new long[] {in, out} : new long[] {out, in});
                if (biases.contains(p)) {
                    shapes.put(layout.path(l, p) + ".bias", new long[] {out});
                }
            }
        }
        addNorm(shapes, layout.norm(), hiddenSize, biased);
        if (!vocabulary.tied) {
            shapes.put(WeightLayout.HEAD, new long[] {vocabulary.size, hiddenSize});
        }
        return shapes;
    }

    private static void addNorm(Map<String, long[]> shapes, String path, int size, boolean bias) {
        shapes.put(path + ".weight", new long[] {size});
        if (bias) {
            shapes.put(path + ".bias", new long[] {size});
        }
    }

    /** Number of parameters, the tied head counted once. */
    public long parameters() {
        return shapes().values().stream().mapToLong(Tensor::product).sum();
    }
}
