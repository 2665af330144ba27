package org.calm4j.engine.model;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Safetensors;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.random.CounterRandom;
import org.calm4j.engine.tensor.Block;
import org.calm4j.engine.tensor.Tensor;

/**
 * Low-rank adapters (Hu et al. 2021) beside frozen weights: {@code out = x·wᵀ + scale · (x·Aᵀ)·Bᵀ}. Names and files as in PEFT. Gradients
 * and moments are of the same class.
 */
public final class Lora implements AutoCloseable {
    private static final String CONFIG = "adapter_config.json";
    static final String WEIGHTS = "adapter_model.safetensors";

    /**
     * @param rank R
     * @param alpha the adapter counts {@code alpha / rank}, or {@code alpha / √rank} with rsLoRA
     * @param dropout probability with which an input of A is zeroed in training
     */
    public record Settings(int rank, double alpha, double dropout, boolean rankStabilized, Set<Projection> targets) {
        public double scale() {
            return alpha / (rankStabilized ? Math.sqrt(rank) : rank);
        }

        /**
         * The projections that the names choose.
         *
         * @throws CalmException wrong usage: a name that is no linear layer of a block
         */
        public static Set<Projection> targets(Collection<String> names) {
            Set<Projection> targets = EnumSet.noneOf(Projection.class);
            for (String name : names) {
                Set<Projection> found = EnumSet.noneOf(Projection.class);
                for (Projection projection : Projection.values()) {
                    if (name.equals("all-linear") || name.equals(projection.module()) || name.equals(projection.path())) {
                        found.add(projection);
                    }
                }
                if (found.isEmpty()) {
                    throw CalmException.usage("no linear layer is called \"" + name + "\"; known: all-linear, "
                            + EnumSet.allOf(Projection.class).stream().map(Projection::module).collect(Collectors.joining(", ")));
                }
                targets.addAll(found);
            }
            return targets;
        }
    }

    /**
     * @param a (R,I)
     * @param b (O,R)
     */
    public record Adapter(Tensor a, Tensor b) {
    }

    private final Settings settings;
    private final Block block;
    private final List<Map<Projection, Adapter>> layers = new ArrayList<>();

    /** Zeroed adapters. */
    public Lora(Backend backend, ModelConfig config, Settings settings) {
        this.settings = settings;
        Block.Plan plan = new Block.Plan();
        for (int l = 0; l < config.layers(); l++) {
            for (Projection p : settings.targets()) {
                plan.add(name(l, p, 'A'), backend.computeType(), settings.rank(), p.inputSize(config));
                plan.add(name(l, p, 'B'), backend.computeType(), p.outputSize(config), settings.rank());
            }
        }
        block = plan.allocate(backend::allocate);
        for (int l = 0; l < config.layers(); l++) {
            Map<Projection, Adapter> adapters = new EnumMap<>(Projection.class);
            for (Projection p : settings.targets()) {
                adapters.put(p, new Adapter(block.get(name(l, p, 'A')), block.get(name(l, p, 'B'))));
            }
            layers.add(adapters);
        }
    }

    private static String name(int layer, Projection projection, char which) {
        return "base_model.model.model.layers." + layer + "." + projection.path() + ".lora_" + which + ".weight";
    }

    /** Fresh adapters as PEFT makes them: A Kaiming-uniform, that is uniform in ±1/√I; B zero, so that they change nothing yet. */
    public static Lora random(Backend backend, ModelConfig config, Settings settings, long seed) {
        Lora lora = new Lora(backend, config, settings);
        for (Tensor tensor : lora.block.tensors()) {
            if (tensor.name().endsWith("lora_A.weight")) {
                long key = CounterRandom.seed(CounterRandom.seed(seed, "lora"), tensor.name());
                double bound = 1 / Math.sqrt(tensor.dim(1));
                double[] values = new double[(int) tensor.size()];
                for (int i = 0; i < values.length; i++) {
                    values[i] = bound * (2 * CounterRandom.uniform(key, i) - 1);
                }
                backend.write(tensor, values, values.length);
            }
        }
        return lora;
    }

    /** Reads a PEFT folder. */
    public static Lora load(Backend backend, ModelConfig config, Path folder) {
        Path file = folder.resolve(CONFIG);
        JsonNode json = Json.read(file, JsonNode.class);
        if (!json.path("peft_type").asText("LORA").equals("LORA")) {
            throw CalmException.badInput(file, "peft_type is " + json.path("peft_type") + "; supported: LORA");
        }
        for (String unsupported : List.of("use_dora", "fan_in_fan_out", "lora_bias")) {
            if (json.path(unsupported).asBoolean(false)) {
                throw CalmException.badInput(file, unsupported + " is true; supported: false");
            }
        }
        for (String unsupported : List.of("rank_pattern", "alpha_pattern", "layers_to_transform", "modules_to_save")) {
            if (!json.path(unsupported).isEmpty()) {
                throw CalmException.badInput(file, unsupported + " is set, which is not supported");
            }
        }
        int rank = json.path("r").asInt(0);
        if (rank < 1 || !json.path("lora_alpha").isNumber()) {
            throw CalmException.badInput(file, "r and lora_alpha must be numbers above 0");
        }
        JsonNode modules = json.path("target_modules");
        Set<Projection> targets;
        try {
            targets = Settings.targets(modules.isArray() ? modules.valueStream().map(JsonNode::asText).toList() : List.of(modules.asText()));
        } catch (CalmException e) {
            throw CalmException.badInput(file, e.getMessage());
        }
        Lora lora = new Lora(backend, config, new Settings(rank, json.path("lora_alpha").asDouble(),
                json.path("lora_dropout").asDouble(0), json.path("use_rslora").asBoolean(false), targets));
        try (Safetensors weights = Safetensors.open(folder.resolve(WEIGHTS))) {
            Parameters.copy(backend, lora.block, weights, folder.resolve(WEIGHTS), List.of());
        } catch (RuntimeException e) {
            lora.close();
            throw e;
        }
        return lora;
    }

    /** Writes {@code adapter_config.json} and {@code adapter_model.safetensors} into an existing folder. */
    public void save(Path folder, String baseModel) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("peft_type", "LORA");
        json.put("task_type", "CAUSAL_LM");
        json.put("base_model_name_or_path", baseModel);
        json.put("r", settings.rank());
        json.put("lora_alpha", settings.alpha());
        json.put("lora_dropout", settings.dropout());
        json.put("use_rslora", settings.rankStabilized());
        json.put("bias", "none");
        json.put("fan_in_fan_out", false);
        json.put("inference_mode", true);
        settings.targets().forEach(target -> json.withArray("target_modules").add(target.module()));
        Safetensors.write(folder.resolve(WEIGHTS), block.tensors(), Map.of("format", "pt"));
        Json.write(folder.resolve(CONFIG), json);
    }

    public Settings settings() {
        return settings;
    }

    /** The adapter of a projection of a layer; null where there is none. */
    public Adapter adapter(int layer, Projection projection) {
        return layers.get(layer).get(projection);
    }

    /** The memory of all of them. */
    public Block block() {
        return block;
    }

    @Override
    public void close() {
        block.close();
    }
}
