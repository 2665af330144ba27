package org.calm4j.engine.model;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.LongToDoubleFunction;
import java.util.stream.Stream;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.config.Projection;
import org.calm4j.engine.config.WeightLayout;
import org.calm4j.engine.io.Safetensors;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.random.CounterRandom;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Slab;
import org.calm4j.engine.tensor.Tensor;

/**
 * All weights of a model under their Hugging Face names. Those that are trained are in one slab, in the backend's compute type; gradients
 * and moments are of the same class: same names, same shapes, another slab. Frozen weights keep the type they are stored in,
 * and where the backend computes on the host they stay in the mapped file.
 */
public final class Parameters implements AutoCloseable {
    private static final int MOST_NAMED = 6;

    /**
     * @param weight (C)
     * @param bias (C); null in RMSNorm
     */
    public record Norm(Tensor weight, Tensor bias) {}

    /**
     * @param weight (O,I), or (I,O) where the {@link WeightLayout} is transposed
     * @param bias (O); null without
     */
    public record Linear(Tensor weight, Tensor bias) {}

    /**
     * The weights of one block.
     *
     * @param norm1 before attention
     * @param norm2 before the feed-forward layers
     * @param queryNorm of each head, weight (D); null without
     * @param keyNorm of each head, weight (D); null without
     */
    public record Layer(Norm norm1, Norm norm2, Norm queryNorm, Norm keyNorm, Map<Projection, Linear> linears) {}

    private final Backend backend;
    private final ModelConfig config;
    private final Map<String, Tensor> tensors;
    private final Map<String, DType> stored;
    private final Slab slab;
    private final Safetensors file;
    private final List<String> surplus;
    private final List<Layer> layers = new ArrayList<>();

    /**
     * @param file the file that has some of the tensors; null if all are in the slab
     * @param surplus names of tensors in the file that the model does not have
     */
    private Parameters(
            Backend backend,
            ModelConfig config,
            Map<String, Tensor> tensors,
            Map<String, DType> stored,
            Slab slab,
            Safetensors file,
            List<String> surplus) {
        this.backend = backend;
        this.config = config;
        this.tensors = tensors;
        this.stored = stored;
        this.slab = slab;
        this.file = file;
        this.surplus = List.copyOf(surplus);
        WeightLayout layout = config.layout();
        for (int l = 0; l < config.layers(); l++) {
            Map<Projection, Linear> linears = new LinkedHashMap<>();
            for (Projection p : layout.projections()) {
                linears.put(p, new Linear(get(layout.path(l, p) + ".weight"), get(layout.path(l, p) + ".bias")));
            }
            layers.add(new Layer(
                    norm(layout.norm1(l)),
                    norm(layout.norm2(l)),
                    config.attention().headNorms() ? norm(layout.queryNorm(l)) : null,
                    config.attention().headNorms() ? norm(layout.keyNorm(l)) : null,
                    linears));
        }
    }

    /** Zeroed parameters of that shape, for training or as gradients. */
    public Parameters(Backend backend, ModelConfig config) {
        this(backend, config, slab(backend, config));
    }

    private Parameters(Backend backend, ModelConfig config, Slab slab) {
        this(backend, config, byName(slab), Map.of(), slab, null, List.of());
    }

    private static Slab slab(Backend backend, ModelConfig config) {
        return Slab.Plan.of(config.shapes(), backend.computeType()).allocate(backend::allocate);
    }

    /** Bytes of all weights in one type. */
    public static long bytes(ModelConfig config, DType type) {
        return Slab.Plan.of(config.shapes(), type).bytes();
    }

    private static Map<String, Tensor> byName(Slab slab) {
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        slab.tensors().forEach(tensor -> tensors.put(tensor.name(), tensor));
        return tensors;
    }

    /**
     * New weights, distributed as in transformers, the same on every backend: matrices normal with the deviations of {@link
     * ModelConfig.Initialization}, norms one, biases zero.
     */
    public static Parameters random(Backend backend, ModelConfig config, long seed) {
        Parameters parameters = new Parameters(backend, config);
        ModelConfig.Initialization start = config.initialization();
        Set<Tensor> residual = new HashSet<>();
        for (Layer layer : parameters.layers) {
            layer.linears().forEach((p, linear) -> {
                if (p.role() == Projection.Role.O || p.role() == Projection.Role.DOWN) {
                    residual.add(linear.weight());
                }
            });
        }
        for (Tensor tensor : parameters.tensors()) {
            long key = CounterRandom.seed(CounterRandom.seed(seed, "init"), tensor.name());
            double constant = tensor.name().endsWith(".bias") ? 0 : 1;
            double deviation = residual.contains(tensor) ? start.residualDeviation() : start.deviation();
            fill(backend, tensor, i -> tensor.rank() > 1 ? deviation * CounterRandom.normal(key, i) : constant);
        }
        if (start.zeroToken() >= 0 && start.zeroToken() < config.vocabulary().size()) {
            backend.zero(parameters.embedding().rows(start.zeroToken(), 1));
        }
        return parameters;
    }

    /** Sets each element to a function of its index, a piece of the tensor at a time. */
    static void fill(Backend backend, Tensor tensor, LongToDoubleFunction value) {
        Tensor row = tensor.view(tensor.size());
        double[] values = new double[(int) Math.min(tensor.size(), 1 << 20)];
        for (long first = 0; first < tensor.size(); first += values.length) {
            int count = (int) Math.min(values.length, tensor.size() - first);
            long start = first;
            Arrays.parallelSetAll(values, i -> value.applyAsDouble(start + i));
            backend.write(row.rows(first, count), values, count);
        }
    }

    /**
     * The weights of a model folder as they are stored, for use without changes.
     *
     * @throws CalmException bad input: a tensor is missing or has another shape than the config says
     */
    public static Parameters open(Backend backend, ModelConfig config, Path folder) {
        Safetensors file = openFile(config, folder);
        Slab slab = null;
        try {
            Map<String, Tensor> weights = weights(config, file, folder);
            Map<String, DType> stored = types(weights);
            Slab.Plan plan = new Slab.Plan();
            weights.forEach((name, from) -> {
                if (!staysInFile(backend, from)) {
                    plan.add(name, from.type() == DType.F64 ? backend.computeType() : from.type(), from.shape());
                }
            });
            slab = plan.allocate(backend::allocate);
            for (Tensor to : slab.tensors()) {
                backend.copy(to, weights.put(to.name(), to));
            }
            Parameters parameters = new Parameters(backend, config, weights, stored, slab, file, surplus(config, file));
            parameters.freeze();
            return parameters;
        } catch (RuntimeException e) {
            file.close();
            if (slab != null) {
                slab.close();
            }
            throw e;
        }
    }

    /** Some files leave out the prefix that all but the head share; a tied head may be there, too. */
    private static Safetensors openFile(ModelConfig config, Path folder) {
        Map<String, long[]> shapes = config.shapes();
        return Safetensors.openFolder(
                folder,
                name -> !name.equals(WeightLayout.HEAD)
                        && !shapes.containsKey(name)
                        && !shapes.containsKey(config.layout().prefix() + name));
    }

    /** Tensors that transformers ignores with a warning, such as a value head; without those known not to be weights. */
    private static List<String> surplus(ModelConfig config, Safetensors file) {
        Map<String, long[]> shapes = config.shapes();
        boolean bare = isBare(config.layout(), file);
        return Stream.concat(
                        file.leftOut().stream().filter(name -> !config.layout().isBuffer(name)),
                        file.tensors().keySet().stream()
                                .filter(name -> !name.equals(WeightLayout.HEAD)
                                        && !shapes.containsKey(full(name, bare, config.layout()))))
                .toList();
    }

    private static boolean isBare(WeightLayout layout, Safetensors file) {
        return file.tensors()
                .containsKey(layout.embedding().substring(layout.prefix().length()));
    }

    private static String full(String name, boolean bare, WeightLayout layout) {
        return bare && !name.equals(WeightLayout.HEAD) ? layout.prefix() + name : name;
    }

    /** Names of tensors in the file that the model does not have. */
    List<String> surplus() {
        return surplus;
    }

    /** Reports the tensors of a file that are left out. */
    static String leftOut(Object where, List<String> names) {
        String some = String.join(", ", names.subList(0, Math.min(names.size(), MOST_NAMED)))
                + (names.size() > MOST_NAMED ? ", …" : "");
        return where + ": "
                + (names.size() == 1
                        ? "tensor " + some + " has no place in a model of this config and is"
                        : names.size() + " tensors have no place in a model of this config and are")
                + " left out" + (names.size() == 1 ? "" : ": " + some);
    }

    /**
     * The same weights with some replaced by an adapter's; the memory of both must stay open.
     *
     * @param trained names of those that are going to be changed
     */
    Parameters with(Map<String, Tensor> others, Set<String> trained) {
        if (others.isEmpty()) {
            return this;
        }
        Map<String, Tensor> all = new LinkedHashMap<>(tensors);
        all.putAll(others);
        Map<String, DType> types = new HashMap<>(stored);
        types.putAll(types(others));
        Parameters parameters = new Parameters(backend, config, all, types, slab, file, surplus);
        backend.markFrozen(all.values().stream()
                .filter(tensor -> !trained.contains(tensor.name()))
                .toList());
        return parameters;
    }

    private static boolean staysInFile(Backend backend, Tensor tensor) {
        return backend.onHost() && tensor.type() != DType.F64;
    }

    /** The weights of a model folder in the compute type, for training. */
    public static Parameters load(Backend backend, ModelConfig config, Path folder) {
        try (Safetensors file = openFile(config, folder)) {
            Map<String, Tensor> weights = weights(config, file, folder);
            Slab slab = slab(backend, config);
            slab.tensors().forEach(to -> backend.copy(to, weights.get(to.name())));
            return new Parameters(backend, config, byName(slab), types(weights), slab, null, surplus(config, file));
        }
    }

    private static Map<String, DType> types(Map<String, Tensor> tensors) {
        Map<String, DType> types = new HashMap<>();
        tensors.forEach((name, tensor) -> types.put(name, tensor.type()));
        return types;
    }

    /** The file's tensors, checked, under our names; some files leave out the prefix that all but the head share. */
    private static Map<String, Tensor> weights(ModelConfig config, Safetensors file, Path where) {
        WeightLayout layout = config.layout();
        boolean bare = isBare(layout, file);
        Map<String, Tensor> found = new LinkedHashMap<>();
        file.tensors().forEach((name, tensor) -> {
            String full = full(name, bare, layout);
            found.put(full, named(full, tensor));
        });
        if (config.vocabulary().tied() && found.containsKey(WeightLayout.HEAD)) {
            tie(layout.embedding(), found, where);
        }
        return check(config.shapes(), found, where);
    }

    /** Some files store a tied matrix twice, or under the head's name only. */
    private static void tie(String embedding, Map<String, Tensor> found, Path where) {
        Tensor head = found.remove(WeightLayout.HEAD);
        Tensor other = found.putIfAbsent(embedding, named(embedding, head));
        if (other != null
                && (other.type() != head.type()
                        || !Arrays.equals(other.shape(), head.shape())
                        || other.segment().mismatch(head.segment()) >= 0)) {
            throw CalmException.badInput(
                    where,
                    WeightLayout.HEAD + " differs from " + embedding
                            + ", but the config ties them; set tie_word_embeddings"
                            + " to false to use both, or remove one");
        }
    }

    private static Tensor named(String name, Tensor tensor) {
        return new Tensor(name, tensor.buffer(), tensor.offset(), tensor.type(), tensor.shape());
    }

    /**
     * The tensors of a file that have a shape given, in the order of the shapes.
     *
     * @throws CalmException bad input: one is missing, has another shape or no floating type
     */
    static Map<String, Tensor> check(Map<String, long[]> shapes, Map<String, Tensor> found, Path where) {
        Map<String, Tensor> checked = new LinkedHashMap<>();
        shapes.forEach((name, shape) -> {
            Tensor tensor = found.get(name);
            if (tensor == null) {
                throw CalmException.badInput(where, "tensor " + name + " is missing");
            }
            if (!Arrays.equals(tensor.shape(), shape)) {
                throw CalmException.badInput(
                        where,
                        "tensor " + name + " has shape " + Arrays.toString(tensor.shape()) + ", the config says "
                                + Arrays.toString(shape));
            }
            if (tensor.type() == DType.I32) {
                throw CalmException.badInput(
                        where, "tensor " + name + " has dtype I32; supported: F32, F64, BF16, F16");
            }
            checked.put(name, tensor);
        });
        return checked;
    }

    /** Null if the model has none of that name. */
    Tensor get(String name) {
        return tensors.get(name);
    }

    /** Null if the model has none of that name. */
    private Norm norm(String path) {
        return get(path + ".weight") == null ? null : new Norm(get(path + ".weight"), get(path + ".bias"));
    }

    /** (V,C). */
    public Tensor embedding() {
        return get(config.layout().embedding());
    }

    /** (P,C), the learned positions; null without. */
    public Tensor positions() {
        return get(config.layout().positions());
    }

    public Layer layer(int index) {
        return layers.get(index);
    }

    /** After the last layer. */
    public Norm norm() {
        return norm(config.layout().norm());
    }

    /** (V,C); the embedding itself when they are tied. */
    public Tensor head() {
        Tensor own = get(WeightLayout.HEAD);
        return own == null ? embedding() : own;
    }

    /** All of them, in order. */
    public Collection<Tensor> tensors() {
        return tensors.values();
    }

    /** The memory of all weights, if they can be trained. */
    public Slab slab() {
        if (file != null) {
            throw new IllegalStateException("weights used as stored cannot be trained");
        }
        return slab;
    }

    /** The type of a weight in its file; F32 without a file. */
    public DType stored(Tensor weight) {
        return stored.getOrDefault(weight.name(), DType.F32);
    }

    public Backend backend() {
        return backend;
    }

    /** Marks them as constant from now on, so that products may read them faster. */
    public void freeze() {
        backend.markFrozen(tensors());
    }

    @Override
    public void close() {
        slab.close();
        if (file != null) {
            file.close();
        }
    }
}
