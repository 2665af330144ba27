package org.calm4j.engine.model;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BiConsumer;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.config.Projection;
import org.calm4j.engine.config.WeightLayout;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Safetensors;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.random.CounterRandom;
import org.calm4j.engine.tensor.Buffer;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.HostBuffer;
import org.calm4j.engine.tensor.Slab;
import org.calm4j.engine.tensor.Tensor;

/**
 * Low-rank adapters (Hu et al. 2021) beside frozen weights: {@code out = x·wᵀ + scale · (x·Aᵀ)·Bᵀ}. Names and files as in PEFT. Gradients
 * and moments are of the same class. What begins with the weights (DoRA's magnitudes, PiSSA's A and B, copies of whole modules) is set
 * when a {@link CausalLm} is made of both.
 */
public final class Lora implements AutoCloseable {
    static final String WEIGHTS = "adapter_model.safetensors";
    /**
     * @param a (R,I)
     * @param b (O,R)
     * @param scale the factor of the adapter's output
     * @param magnitude of the adapted weight's rows; null without (DoRA alone has them)
     * @param start what A and B began with, if that was not zero together: its product is subtracted from the weight; null without (PiSSA
     *     alone has it)
     */
    public record Adapter(Tensor a, Tensor b, double scale, Magnitude magnitude, Pissa.Start start) {
        int rank() {
            return (int) a.dim(0);
        }
    }

    private final Backend backend;
    private final ModelConfig model;
    private final AdapterConfig config;
    private final LoraSettings.Start start;
    private final Slab slab;
    /** What the magnitudes need; null without them, and in gradients and moments. */
    private final Slab magnitudes;

    /** What A and B began with; null without PiSSA, and in gradients and moments. */
    private final Slab starts;

    /** Copies of whole modules, by the weight's name; they are trained. */
    private final Map<String, Tensor> whole = new LinkedHashMap<>();
    /** The weights beside which it computes; null before it does. */
    private Parameters base;
    /** Whether it is read from a file, so that nothing begins with the weights. */
    private boolean loaded;

    /** Weights that replace the base model's, by name. */
    private final Map<String, Tensor> saved = new LinkedHashMap<>();

    private final List<Buffer> savedMemory = new ArrayList<>();
    private final List<String> surplus = new ArrayList<>();
    private Path file;
    private final List<Map<Projection, Adapter>> layers = new ArrayList<>();

    /**
     * @param copied names of weights that are copied and trained whole
     * @param computes false for gradients and moments
     */
    private Lora(
            Backend backend,
            ModelConfig model,
            AdapterConfig config,
            LoraSettings.Start start,
            Set<String> copied,
            boolean computes) {
        this.backend = backend;
        this.model = model;
        this.config = config;
        this.start = start;
        slab = Slab.Plan.of(shapes(model, config, copied), backend.computeType())
                .allocate(backend::allocate);
        copied.forEach(name -> whole.put(name, slab.get(name)));
        List<Tensor> values = slab.tensors().stream()
                .filter(tensor -> tensor.name().endsWith(AdapterConfig.MAGNITUDE))
                .toList();
        magnitudes = computes && config.dora()
                ? Magnitude.plan(values, backend.computeType(), config.rank()).allocate(backend::allocate)
                : null;
        starts = computes && start == LoraSettings.Start.PISSA
                ? Pissa.plan(shapes(model, config, Set.of()), backend.computeType())
                        .allocate(backend::allocate)
                : null;
        for (int l = 0; l < model.layers(); l++) {
            Map<Projection, Adapter> adapters = new LinkedHashMap<>();
            for (Map.Entry<Projection, AdapterConfig.Size> entry :
                    config.sizes().get(l).entrySet()) {
                adapters.put(entry.getKey(), adapter(model.layout().path(l, entry.getKey()), entry.getValue()));
            }
            layers.add(adapters);
        }
    }

    private Adapter adapter(String path, AdapterConfig.Size size) {
        String a = AdapterConfig.weight(path, 'A');
        String b = AdapterConfig.weight(path, 'B');
        return new Adapter(
                slab.get(a),
                slab.get(b),
                size.scale(),
                magnitudes == null
                        ? null
                        : Magnitude.of(backend, slab.get(AdapterConfig.magnitude(path)), magnitudes, size.rank()),
                starts == null ? null : new Pissa.Start(starts.get(a), starts.get(b)));
    }

    /** Zeroed adapters. */
    public Lora(Backend backend, ModelConfig model, LoraSettings settings) {
        this(
                backend,
                model,
                AdapterConfig.of(model, settings),
                settings.start(),
                copied(model, AdapterConfig.of(model, settings)),
                true);
    }

    /** Zeroed adapters of the same shapes, for gradients and moments. */
    public Lora zeros() {
        return new Lora(backend, model, config, LoraSettings.Start.TRUE, whole.keySet(), false);
    }

    /** Shapes of what an adapter trains, by name. */
    public static Map<String, long[]> shapes(ModelConfig model, LoraSettings settings) {
        AdapterConfig config = AdapterConfig.of(model, settings);
        return shapes(model, config, copied(model, config));
    }

    private static Set<String> copied(ModelConfig model, AdapterConfig config) {
        return config.saved(wholeShapes(model).keySet(), Path.of(""));
    }

    private static Map<String, long[]> wholeShapes(ModelConfig model) {
        Map<String, long[]> all = model.shapes();
        all.putIfAbsent(WeightLayout.HEAD, new long[] {model.vocabulary().size(), model.hiddenSize()});
        return all;
    }

    /** @param copied names of weights that are trained whole */
    private static Map<String, long[]> shapes(ModelConfig model, AdapterConfig config, Set<String> copied) {
        Map<String, long[]> shapes = new LinkedHashMap<>();
        for (int l = 0; l < model.layers(); l++) {
            for (Map.Entry<Projection, AdapterConfig.Size> entry :
                    config.sizes().get(l).entrySet()) {
                String path = model.layout().path(l, entry.getKey());
                long rank = entry.getValue().rank();
                long outputs = model.outputSize(entry.getKey());
                shapes.put(AdapterConfig.weight(path, 'A'), new long[] {rank, model.inputSize(entry.getKey())});
                shapes.put(AdapterConfig.weight(path, 'B'), new long[] {outputs, rank});
                if (config.dora()) {
                    shapes.put(AdapterConfig.magnitude(path), new long[] {outputs});
                }
            }
        }
        Map<String, long[]> whole = wholeShapes(model);
        copied.forEach(name -> shapes.put(name, whole.get(name)));
        return shapes;
    }

    /** New adapters initialized as in PEFT ({@link LoraSettings.Start}), so that they change nothing yet. */
    public static Lora random(Backend backend, ModelConfig model, LoraSettings settings, long seed) {
        Lora lora = new Lora(backend, model, settings);
        for (Tensor tensor : lora.slab.tensors()) {
            if (tensor.name().endsWith("lora_A.weight")) {
                long key = CounterRandom.seed(CounterRandom.seed(seed, "lora"), tensor.name());
                double bound = 1 / Math.sqrt(tensor.dim(1));
                double deviation = 1.0 / tensor.dim(0);
                boolean normal = settings.start() == LoraSettings.Start.GAUSSIAN;
                Parameters.fill(
                        backend,
                        tensor,
                        normal
                                ? i -> deviation * CounterRandom.normal(key, i)
                                : i -> bound * (2 * CounterRandom.uniform(key, i) - 1));
            }
        }
        return lora;
    }

    /**
     * Reads a PEFT folder.
     *
     * @throws CalmException bad input: not a LoRA adapter of this model, or one with unsupported parts
     */
    public static Lora load(Backend backend, ModelConfig model, Path folder) {
        Path file = folder.resolve(WEIGHTS);
        try (Safetensors weights = Safetensors.open(file)) {
            AdapterConfig config = AdapterConfig.read(model, folder, weights.tensors());
            Map<String, Tensor> checked = Parameters.check(shapes(model, config, Set.of()), weights.tensors(), file);
            Map<String, Tensor> replacing = replacing(model, config, weights.tensors(), folder);
            Lora lora = new Lora(backend, model, config, LoraSettings.Start.TRUE, Set.of(), true);
            lora.loaded = true;
            try {
                lora.slab.tensors().forEach(to -> backend.copy(to, checked.get(to.name())));
                replacing.forEach(lora::keep);
            } catch (RuntimeException | Error e) {
                lora.close();
                throw e;
            }
            lora.file = file;
            weights.tensors().keySet().stream()
                    .filter(name -> !checked.containsKey(name) && !replacing.containsKey(inModel(name)))
                    .forEach(lora.surplus::add);
            return lora;
        }
    }

    private static String inModel(String name) {
        return name.startsWith(AdapterConfig.PREFIX) ? name.substring(AdapterConfig.PREFIX.length()) : name;
    }

    /** Whole weights in the file of an adapter: those of {@code modules_to_save}, and embeddings saved with it. */
    private static Map<String, Tensor> replacing(
            ModelConfig model, AdapterConfig config, Map<String, Tensor> weights, Path folder) {
        Map<String, long[]> all = wholeShapes(model);
        Set<String> wanted = config.saved(all.keySet(), folder);
        Map<String, long[]> shapes = new LinkedHashMap<>();
        Map<String, Tensor> found = new LinkedHashMap<>();
        all.forEach((name, shape) -> {
            if (wanted.contains(name) || weights.containsKey(AdapterConfig.PREFIX + name)) {
                shapes.put(AdapterConfig.PREFIX + name, shape);
            }
        });
        Parameters.check(shapes, weights, folder.resolve(WEIGHTS))
                .forEach((name, tensor) -> found.put(inModel(name), tensor));
        return found;
    }

    private void keep(String name, Tensor tensor) {
        DType type = tensor.type() == DType.F64 ? backend.computeType() : tensor.type();
        Buffer memory = backend.allocate(tensor.size() * type.bytes());
        savedMemory.add(memory);
        Tensor copy = new Tensor(name, memory, 0, type, tensor.shape());
        backend.copy(copy, tensor);
        saved.put(name, copy);
    }

    /**
     * The weights that replace the base model's, by name. A tied head stays as in the base model if the adapter
     * replaces the embedding alone.
     */
    Map<String, Tensor> replaced(Parameters base) {
        Map<String, Tensor> all = new LinkedHashMap<>(saved);
        all.putAll(whole);
        if (keepsHead() && model.vocabulary().tied()) {
            all.putIfAbsent(WeightLayout.HEAD, base.embedding().named(WeightLayout.HEAD));
        }
        return all;
    }

    private boolean keepsHead() {
        String embedding = model.layout().embedding();
        boolean replaced = whole.containsKey(embedding)
                || saved.containsKey(embedding)
                        && config.saved(saved.keySet(), file.getParent()).contains(embedding);
        return replaced && !config.tiesHead();
    }

    /** Sums of gradients of embeddings, norms and biases among the modules that are trained whole. */
    List<Tensor> wholeSums() {
        return whole.values().stream()
                .filter(tensor -> tensor.rank() == 1
                        || tensor.name().equals(model.layout().embedding())
                        || tensor.name().equals(model.layout().positions()))
                .toList();
    }

    /** Names of the weights that it trains whole. */
    public Set<String> trainedWhole() {
        return Collections.unmodifiableSet(whole.keySet());
    }

    /** Names of the weights of its file that replace the model's, and are not trained. */
    public Set<String> replaced() {
        return Collections.unmodifiableSet(saved.keySet());
    }

    /** The unused parts of its file, in words. */
    public List<String> notes() {
        return surplus.isEmpty() ? List.of() : List.of(Parameters.leftOut(file, surplus));
    }

    // ---- beside the weights ----

    /** Sets what begins with the weights, once, and what follows from them. */
    void beside(Parameters parameters) {
        if (base == parameters) {
            return;
        }
        boolean begins = base == null && !loaded;
        base = parameters;
        if (begins) {
            whole.forEach((name, copy) ->
                    backend.copy(copy, parameters.get(name) == null ? parameters.embedding() : parameters.get(name)));
        }
        boolean transposed = model.layout().transposed();
        forEach((adapter, weight) -> {
            if (begins && adapter.start() != null) {
                new Pissa(backend, weight, transposed).start(adapter);
            }
            if (adapter.magnitude() != null) {
                adapter.magnitude().beside(weight, transposed);
                if (begins) {
                    adapter.magnitude().start(adapter, weight, transposed);
                }
            }
        });
        changed();
    }

    /** To be called after its weights have changed: sets what follows from them. */
    public void changed() {
        if (magnitudes != null && base != null) {
            forEach((adapter, weight) ->
                    adapter.magnitude().refresh(adapter, weight, model.layout().transposed()));
        }
    }

    private void forEach(BiConsumer<Adapter, Tensor> action) {
        for (int l = 0; l < layers.size(); l++) {
            Map<Projection, Parameters.Linear> linears = base.layer(l).linears();
            layers.get(l)
                    .forEach((projection, adapter) ->
                            action.accept(adapter, linears.get(projection).weight()));
        }
    }

    /**
     * Whether what {@link #save} writes is not what is trained: PiSSA's A and B are saved with their start, as an adapter of twice the rank
     * for the unchanged weights.
     */
    public boolean savesOtherwise() {
        return starts != null;
    }

    /** The name in the file of one of its tensors. */
    public String savedName(String name) {
        return whole.containsKey(name) ? AdapterConfig.PREFIX + name : name;
    }

    /** Writes {@code adapter_config.json} and {@code adapter_model.safetensors} into an existing folder. */
    public void save(Path folder, String baseModel) {
        ObjectNode json = starts == null ? config.json().deepCopy() : Pissa.converted(config.json());
        json.put("base_model_name_or_path", baseModel);
        json.put("inference_mode", true);
        List<Tensor> tensors = new ArrayList<>();
        for (Tensor tensor : slab.tensors()) {
            if (whole.containsKey(tensor.name())) {
                tensors.add(tensor.named(savedName(tensor.name())));
            } else {
                tensors.add(starts == null ? tensor : Pissa.converted(backend, tensor, starts.get(tensor.name())));
            }
        }
        Safetensors.write(folder.resolve(WEIGHTS), tensors, Map.of("format", "pt"));
        Json.write(folder.resolve(AdapterConfig.FILE), json);
    }

    // ---- merging ----

    /**
     * {@code W += scale · B·A} for every adapted weight, multiplied by row with DoRA's factors: afterwards the parameters alone compute what
     * they computed with the adapter.
     */
    public void mergeInto(Parameters parameters) {
        merge(parameters, 1);
    }

    /** Undoes {@link #mergeInto}, except for rounding. */
    public void unmergeFrom(Parameters parameters) {
        merge(parameters, -1);
    }

    private void merge(Parameters parameters, int sign) {
        parameters.slab();
        for (int l = 0; l < layers.size(); l++) {
            for (Map.Entry<Projection, Adapter> entry : layers.get(l).entrySet()) {
                add(parameters.layer(l).linears().get(entry.getKey()).weight(), entry.getValue(), sign);
            }
        }
    }

    /**
     * The weight with its adapter added, in new memory, rounded once; the weight itself without an adapter. For models whose weights
     * stay in their file: one weight at a time.
     *
     * @param type of the result; null for the weight's
     */
    public Tensor merged(Tensor weight, DType type) {
        for (int l = 0; l < layers.size(); l++) {
            for (Map.Entry<Projection, Adapter> entry : layers.get(l).entrySet()) {
                if (weight.name().equals(model.layout().path(l, entry.getKey()) + ".weight")) {
                    return merged(weight, entry.getValue(), type == null ? weight.type() : type);
                }
            }
        }
        return weight;
    }

    private Tensor merged(Tensor weight, Adapter adapter, DType type) {
        DType compute = backend.computeType();
        Tensor result =
                new Tensor(weight.name(), new HostBuffer(weight.size() * type.bytes()), 0, type, weight.shape());
        try (Buffer memory = backend.allocate(weight.size() * compute.bytes())) {
            Tensor sum = new Tensor(weight.name(), memory, 0, compute, weight.shape());
            backend.copy(sum, weight);
            add(sum, adapter, 1);
            backend.copy(result, sum);
        }
        return result;
    }

    private void add(Tensor weight, Adapter adapter, int sign) {
        boolean transposed = model.layout().transposed();
        if (adapter.magnitude() != null && sign < 0) {
            adapter.magnitude().scaleRows(weight, transposed, true);
        }
        add(weight, adapter.a(), adapter.b(), sign * adapter.scale());
        if (adapter.start() != null) {
            add(weight, adapter.start().a(), adapter.start().b(), -sign * adapter.scale());
        }
        if (adapter.magnitude() != null && sign > 0) {
            adapter.magnitude().scaleRows(weight, transposed, false);
        }
    }

    private void add(Tensor weight, Tensor a, Tensor b, double scale) {
        if (!model.layout().transposed()) {
            backend.linearBackwardInput(weight, b, a, scale, true);
            return;
        }
        int rank = (int) a.dim(0);
        int width = (int) a.dim(1);
        double[] values = new double[rank * width];
        backend.read(values, a, values.length);
        double[] transposed = new double[values.length];
        for (int i = 0; i < values.length; i++) {
            transposed[i % width * rank + i / width] = values[i];
        }
        try (Buffer memory = backend.allocate(a.bytes())) {
            Tensor turned = new Tensor("A transposed", memory, 0, a.type(), width, rank);
            backend.write(turned, transposed, transposed.length);
            backend.linearForward(weight, turned, b, scale, true);
        }
    }

    /** Whether rows of the adapted weights have magnitudes (DoRA). */
    public boolean hasMagnitudes() {
        return magnitudes != null;
    }

    /** The largest rank of an adapter. */
    public int rank() {
        return config.rank();
    }

    /** Probability with which an input of A is zeroed in training. */
    public double dropout() {
        return config.dropout();
    }

    /** The adapter of a projection of a layer; null without one. */
    public Adapter adapter(int layer, Projection projection) {
        return layers.get(layer).get(projection);
    }

    /** Bytes that it takes beside what is trained: of what follows from magnitudes, PiSSA's start, weights that replace the model's. */
    public long fixedBytes() {
        return (magnitudes == null ? 0 : magnitudes.bytes())
                + (starts == null ? 0 : starts.bytes())
                + saved.values().stream().mapToLong(Tensor::bytes).sum();
    }

    /** The memory of all adapters. */
    public Slab slab() {
        return slab;
    }

    @Override
    public void close() {
        slab.close();
        if (magnitudes != null) {
            magnitudes.close();
        }
        if (starts != null) {
            starts.close();
        }
        savedMemory.forEach(Buffer::close);
    }
}
