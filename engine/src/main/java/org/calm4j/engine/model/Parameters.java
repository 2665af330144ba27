package org.calm4j.engine.model;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Safetensors;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.random.CounterRandom;
import org.calm4j.engine.tensor.Block;
import org.calm4j.engine.tensor.Tensor;

/**
 * All weights of a model in one block, under their Hugging Face names. Gradients and moments are of the same class: same names, same
 * shapes, another block.
 */
public final class Parameters implements AutoCloseable {
    private static final String EMBEDDING = "model.embed_tokens.weight";
    private static final String NORM = "model.norm.weight";
    private static final String HEAD = "lm_head.weight";

    /**
     * The weights of one block.
     *
     * @param inputNorm (C), before attention
     * @param postAttentionNorm (C), before the feed-forward layers
     * @param weights (O,I) each
     */
    public record Layer(Tensor inputNorm, Tensor postAttentionNorm, Map<Projection, Tensor> weights) {
        public Tensor weight(Projection projection) {
            return weights.get(projection);
        }
    }

    private final Backend backend;
    private final Block block;
    private final Tensor embedding;
    private final List<Layer> layers = new ArrayList<>();
    private final Tensor norm;
    private final Tensor head;

    /** Zeroed parameters of that shape. */
    public Parameters(Backend backend, ModelConfig config) {
        this.backend = backend;
        Block.Plan plan = new Block.Plan();
        plan.add(EMBEDDING, backend.computeType(), config.vocabSize(), config.hiddenSize());
        for (int l = 0; l < config.layers(); l++) {
            plan.add(name(l, "input_layernorm"), backend.computeType(), config.hiddenSize());
            plan.add(name(l, "post_attention_layernorm"), backend.computeType(), config.hiddenSize());
            for (Projection p : Projection.values()) {
                plan.add(name(l, p.path()), backend.computeType(), p.outputSize(config), p.inputSize(config));
            }
        }
        plan.add(NORM, backend.computeType(), config.hiddenSize());
        if (!config.tiedEmbeddings()) {
            plan.add(HEAD, backend.computeType(), config.vocabSize(), config.hiddenSize());
        }
        block = plan.allocate(backend::allocate);
        embedding = block.get(EMBEDDING);
        norm = block.get(NORM);
        head = config.tiedEmbeddings() ? embedding : block.get(HEAD);
        for (int l = 0; l < config.layers(); l++) {
            Map<Projection, Tensor> weights = new EnumMap<>(Projection.class);
            for (Projection p : Projection.values()) {
                weights.put(p, block.get(name(l, p.path())));
            }
            layers.add(new Layer(block.get(name(l, "input_layernorm")), block.get(name(l, "post_attention_layernorm")), weights));
        }
    }

    private static String name(int layer, String path) {
        return "model.layers." + layer + "." + path + ".weight";
    }

    /** Fresh weights: normal with the config's {@code initializer_range}, norms one; the same on every backend. */
    public static Parameters random(Backend backend, ModelConfig config, long seed) {
        Parameters parameters = new Parameters(backend, config);
        for (Tensor tensor : parameters.block.tensors()) {
            long key = CounterRandom.seed(CounterRandom.seed(seed, "init"), tensor.name());
            double[] values = new double[(int) tensor.size()];
            for (int i = 0; i < values.length; i++) {
                values[i] = tensor.rank() == 1 ? 1 : config.initializerRange() * CounterRandom.normal(key, i);
            }
            backend.write(tensor, values, values.length);
        }
        return parameters;
    }

    /**
     * Reads the weights of a model folder.
     *
     * @throws CalmException bad input: a tensor is missing, unknown or has another shape than the config says
     */
    public static Parameters load(Backend backend, ModelConfig config, Path folder) {
        Parameters parameters = new Parameters(backend, config);
        try (Safetensors file = Safetensors.openFolder(folder)) {
            copy(backend, parameters.block, file, folder, config.tiedEmbeddings() ? List.of(HEAD) : List.of());
        } catch (RuntimeException e) {
            parameters.close();
            throw e;
        }
        return parameters;
    }

    /** Fills a block from a file that has exactly its tensors, any floating type; {@code ignored} may stand in the file too. */
    static void copy(Backend backend, Block block, Safetensors file, Path where, List<String> ignored) {
        for (Tensor from : file.tensors().values()) {
            boolean buffer = from.name().endsWith(".rotary_emb.inv_freq");
            if (block.get(from.name()) == null && !ignored.contains(from.name()) && !buffer) {
                throw CalmException.badInput(where, "tensor " + from.name() + " has no place in a model of this config");
            }
        }
        for (Tensor to : block.tensors()) {
            Tensor from = file.tensors().get(to.name());
            if (from == null) {
                throw CalmException.badInput(where, "tensor " + to.name() + " is missing");
            }
            if (!Arrays.equals(from.shape(), to.shape())) {
                throw CalmException.badInput(where, "tensor " + to.name() + " has shape " + Arrays.toString(from.shape()) + ", the config says "
                        + Arrays.toString(to.shape()));
            }
            backend.copy(to, from);
        }
    }

    /** (V,C). */
    public Tensor embedding() {
        return embedding;
    }

    public Layer layer(int index) {
        return layers.get(index);
    }

    /** (C), the last norm. */
    public Tensor norm() {
        return norm;
    }

    /** (V,C); the embedding itself when they are tied. */
    public Tensor head() {
        return head;
    }

    /** The memory of all of them. */
    public Block block() {
        return block;
    }

    public Backend backend() {
        return backend;
    }

    @Override
    public void close() {
        block.close();
    }
}
