package org.calm4j.engine.model;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
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
 * and moments are of the same class.
 */
public final class Lora implements AutoCloseable {
    static final String WEIGHTS = "adapter_model.safetensors";
    /**
     * @param a (R,I)
     * @param b (O,R)
     * @param scale the factor of the adapter's output
     */
    public record Adapter(Tensor a, Tensor b, double scale) {
        int rank() {
            return (int) a.dim(0);
        }
    }

    private final Backend backend;
    private final ModelConfig model;
    private final AdapterConfig config;
    private final Slab slab;
    /** Weights that replace the base model's, by name. */
    private final Map<String, Tensor> saved = new LinkedHashMap<>();

    private final List<Buffer> savedMemory = new ArrayList<>();
    private final List<String> surplus = new ArrayList<>();
    private Path file;
    private boolean keepsHead;
    private final List<Map<Projection, Adapter>> layers = new ArrayList<>();

    private Lora(Backend backend, ModelConfig model, AdapterConfig config) {
        this.backend = backend;
        this.model = model;
        this.config = config;
        Slab.Plan plan = new Slab.Plan();
        shapes(model, config).forEach((name, shape) -> plan.add(name, backend.computeType(), shape));
        slab = plan.allocate(backend::allocate);
        for (int l = 0; l < model.layers(); l++) {
            Map<Projection, Adapter> adapters = new LinkedHashMap<>();
            for (Map.Entry<Projection, AdapterConfig.Size> entry :
                    config.sizes().get(l).entrySet()) {
                String path = model.layout().path(l, entry.getKey());
                adapters.put(
                        entry.getKey(),
                        new Adapter(
                                slab.get(AdapterConfig.weight(path, 'A')),
                                slab.get(AdapterConfig.weight(path, 'B')),
                                entry.getValue().scale()));
            }
            layers.add(adapters);
        }
    }

    /** Zeroed adapters. */
    public Lora(Backend backend, ModelConfig model, LoraSettings settings) {
        this(backend, model, AdapterConfig.of(model, settings));
    }

    /** Zeroed adapters of the same shapes, for gradients and moments. */
    public Lora zeros() {
        return new Lora(backend, model, config);
    }

    /** Bytes of an adapter. */
    public static long bytes(ModelConfig model, LoraSettings settings, DType type) {
        Slab.Plan plan = new Slab.Plan();
        shapes(model, AdapterConfig.of(model, settings)).forEach((name, shape) -> plan.add(name, type, shape));
        return plan.bytes();
    }

    private static Map<String, long[]> shapes(ModelConfig model, AdapterConfig config) {
        Map<String, long[]> shapes = new LinkedHashMap<>();
        for (int l = 0; l < model.layers(); l++) {
            for (Map.Entry<Projection, AdapterConfig.Size> entry :
                    config.sizes().get(l).entrySet()) {
                String path = model.layout().path(l, entry.getKey());
                shapes.put(
                        AdapterConfig.weight(path, 'A'),
                        new long[] {entry.getValue().rank(), model.inputSize(entry.getKey())});
                shapes.put(AdapterConfig.weight(path, 'B'), new long[] {
                    model.outputSize(entry.getKey()), entry.getValue().rank()
                });
            }
        }
        return shapes;
    }

    /** New adapters initialized as in PEFT: A Kaiming-uniform, that is uniform in ±1/√I; B zero, so that they change nothing yet. */
    public static Lora random(Backend backend, ModelConfig model, LoraSettings settings, long seed) {
        Lora lora = new Lora(backend, model, settings);
        for (Tensor tensor : lora.slab.tensors()) {
            if (tensor.name().endsWith("lora_A.weight")) {
                long key = CounterRandom.seed(CounterRandom.seed(seed, "lora"), tensor.name());
                double bound = 1 / Math.sqrt(tensor.dim(1));
                Parameters.fill(backend, tensor, i -> bound * (2 * CounterRandom.uniform(key, i) - 1));
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
            Map<String, Tensor> checked = Parameters.check(shapes(model, config), weights.tensors(), file);
            Map<String, Tensor> replacing = replacing(model, config, weights.tensors(), folder);
            Lora lora = new Lora(backend, model, config);
            try {
                lora.slab.tensors().forEach(to -> backend.copy(to, checked.get(to.name())));
                replacing.forEach(lora::keep);
            } catch (RuntimeException | Error e) {
                lora.close();
                throw e;
            }
            lora.file = file;
            lora.keepsHead = config.saved(replacing.keySet(), folder)
                            .contains(model.layout().embedding())
                    && !config.tiesHead();
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
        Map<String, long[]> all = model.shapes();
        all.putIfAbsent(WeightLayout.HEAD, new long[] {model.vocabulary().size(), model.hiddenSize()});
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
        if (keepsHead && model.vocabulary().tied()) {
            all.putIfAbsent(WeightLayout.HEAD, base.embedding());
        }
        return all;
    }

    /** Names of the weights that it replaces. */
    public Set<String> replaced() {
        return Collections.unmodifiableSet(saved.keySet());
    }

    /** The unused parts of its file, in words. */
    public List<String> notes() {
        return surplus.isEmpty() ? List.of() : List.of(Parameters.leftOut(file, surplus));
    }

    /** Writes {@code adapter_config.json} and {@code adapter_model.safetensors} into an existing folder. */
    public void save(Path folder, String baseModel) {
        ObjectNode json = config.json().deepCopy();
        json.put("base_model_name_or_path", baseModel);
        json.put("inference_mode", true);
        Safetensors.write(folder.resolve(WEIGHTS), slab.tensors(), Map.of("format", "pt"));
        Json.write(folder.resolve(AdapterConfig.FILE), json);
    }

    // ---- merging ----

    /** {@code W += scale · B·A} for every adapted weight: afterwards the parameters alone compute what they computed with the adapter. */
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
        double scale = sign * adapter.scale();
        if (!model.layout().transposed()) {
            backend.linearBackwardInput(weight, adapter.b(), adapter.a(), scale, true);
            return;
        }
        Tensor a = adapter.a();
        int rank = adapter.rank();
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
            backend.linearForward(weight, turned, adapter.b(), scale, true);
        }
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

    /** The memory of all adapters. */
    public Slab slab() {
        return slab;
    }

    @Override
    public void close() {
        slab.close();
        savedMemory.forEach(Buffer::close);
    }
}
