package org.calm4j.engine.model;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.DoubleNode;
import com.fasterxml.jackson.databind.node.IntNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.config.ConfigFields;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.config.Projection;
import org.calm4j.engine.config.WeightLayout;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.tensor.Tensor;
import org.calm4j.engine.text.BoundedRegex;

/**
 * PEFT's {@code adapter_config.json}: which linear layers have an adapter, and of what size.
 *
 * @param json the whole file, so that a saved one keeps the fields that we do not use
 * @param sizes of each layer's adapters
 */
record AdapterConfig(ObjectNode json, double dropout, List<Map<Projection, Size>> sizes) {
    static final String FILE = "adapter_config.json";
    private static final int LARGEST_RANK = 1 << 14;
    /** Initializations of an adapter that leave the base model's weights unchanged. */
    private static final String[] PLAIN_STARTS = {"true", "gaussian", "eva", "orthogonal"};

    /** The prefix that PEFT puts before the names of the base model's tensors. */
    static final String PREFIX = "base_model.model.";

    /** @param scale the factor of the adapter's output */
    record Size(int rank, double scale) {
        static Size of(int rank, double alpha, boolean rankStabilized) {
            return new Size(rank, alpha / (rankStabilized ? Math.sqrt(rank) : rank));
        }
    }

    /** The file of a new adapter: PEFT's fields in PEFT's order, those that every release knows. */
    static AdapterConfig of(ModelConfig config, LoraSettings settings) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.putObject("alpha_pattern");
        json.putNull("auto_mapping").putNull("base_model_name_or_path").put("bias", "none");
        json.put("fan_in_fan_out", config.layout().transposed())
                .put("inference_mode", true)
                .put("init_lora_weights", true);
        json.putNull("layers_pattern").putNull("layers_to_transform");
        boolean whole = settings.alpha() == Math.rint(settings.alpha()) && settings.alpha() <= Integer.MAX_VALUE;
        json.set("lora_alpha", whole ? IntNode.valueOf((int) settings.alpha()) : DoubleNode.valueOf(settings.alpha()));
        json.put("lora_dropout", settings.dropout())
                .putNull("modules_to_save")
                .put("peft_type", "LORA")
                .put("r", settings.rank());
        json.putObject("rank_pattern");
        json.putNull("revision").putArray("target_modules");
        modules(config.layout(), settings.targets()).forEach(json.withArray("target_modules")::add);
        json.put("task_type", "CAUSAL_LM").put("use_dora", false).put("use_rslora", settings.rankStabilized());
        Map<Projection, Size> layer = new LinkedHashMap<>();
        settings.targets()
                .forEach(target ->
                        layer.put(target, Size.of(settings.rank(), settings.alpha(), settings.rankStabilized())));
        return new AdapterConfig(json, settings.dropout(), Collections.nCopies(config.layers(), layer));
    }

    /** Names that select exactly these layers in PEFT: the last part of a name, or more of it if others end alike. */
    private static Set<String> modules(WeightLayout layout, Set<Projection> targets) {
        Set<String> names = new TreeSet<>();
        for (Projection target : targets) {
            String module = layout.module(target);
            boolean alone = layout.projections().stream()
                    .filter(p -> layout.module(p).equals(module))
                    .allMatch(targets::contains);
            names.add(alone ? module : layout.block().linears().get(target));
        }
        return names;
    }

    /**
     * Reads the file.
     *
     * @param weights the tensors of {@code adapter_model.safetensors}
     * @throws CalmException bad input: not a LoRA adapter of this model, or one with unsupported parts
     */
    static AdapterConfig read(ModelConfig config, Path folder, Map<String, Tensor> weights) {
        Path file = folder.resolve(FILE);
        if (!(Json.read(file, JsonNode.class) instanceof ObjectNode json)) {
            throw CalmException.badInput(file, "not a JSON object");
        }
        ConfigFields fields = new ConfigFields(json, file);
        if (!fields.text("peft_type", "LORA").equals("LORA")) {
            throw fields.unsupported("peft_type", "LORA");
        }
        for (String name : List.of(
                "use_dora",
                "use_qalora",
                "lora_bias",
                "layer_replication",
                "target_parameters",
                "trainable_token_indices",
                "alora_invocation_tokens",
                "use_bdlora",
                "arrow_config",
                "kasa_config",
                "monteclora_config")) {
            if (!json.path(name).isContainerNode() || !json.path(name).isEmpty()) {
                fields.mustBeNeutral(name);
            }
        }
        fields.mustBeNeutral("bias", "none");
        fields.mustBeNeutral("init_lora_weights", PLAIN_STARTS);
        double dropout = json.path("lora_dropout").asDouble(0) == 0 ? 0 : fields.positive("lora_dropout");
        if (dropout >= 1) {
            throw fields.unsupported("lora_dropout", "from 0 to below 1");
        }
        AdapterTargets targets = AdapterTargets.of(fields);
        AdapterConfig read = new AdapterConfig(json, dropout, new ArrayList<>());
        for (int l = 0; l < config.layers(); l++) {
            Map<Projection, Size> layer = new LinkedHashMap<>();
            for (Projection p : config.layout().projections()) {
                String path = config.layout().path(l, p);
                if (targets.adapts(path)) {
                    layer.put(p, size(fields, path, weights.get(weight(path, 'A'))));
                }
            }
            read.sizes.add(layer);
        }
        for (String other : List.of(module(config.layout().embedding()), module(WeightLayout.HEAD))) {
            if (!targets.isAllLinear() && targets.adapts(other)) {
                throw fields.bad("target_modules names " + other + "; supported: the linear layers of the blocks");
            }
        }
        return read;
    }

    /**
     * Names of the weights that {@code modules_to_save} replaces as a whole.
     *
     * @param names of the model's weights
     * @throws CalmException bad input: a module that the model does not have
     */
    Set<String> saved(Collection<String> names, Path folder) {
        ConfigFields fields = new ConfigFields(json, folder.resolve(FILE));
        List<String> modules = fields.texts("modules_to_save");
        Set<String> saved = new TreeSet<>();
        for (String module : modules == null ? List.<String>of() : modules) {
            List<String> found =
                    names.stream().filter(name -> module(name).endsWith(module)).toList();
            if (found.isEmpty()) {
                throw fields.bad("modules_to_save names " + module + ", which the model does not have");
            }
            saved.addAll(found);
        }
        return saved;
    }

    /** The module that a weight belongs to. */
    private static String module(String weight) {
        return weight.substring(0, weight.lastIndexOf('.'));
    }

    /** Whether a tied head follows an embedding that {@code modules_to_save} names; else it stays the base model's. */
    boolean tiesHead() {
        return json.path("ensure_weight_tying").asBoolean(false);
    }

    /** @param a the adapter's first matrix, which has the rank; null if it is missing, which is reported when the weights are read */
    private static Size size(ConfigFields fields, String path, Tensor a) {
        int rank = (int) pattern(fields, "rank_pattern", path, fields.extent("r", LARGEST_RANK));
        if (a != null && (a.rank() != 2 || a.dim(0) != rank)) {
            throw fields.bad("the rank of " + path + " is " + rank + ", the adapter has " + a);
        }
        double alpha = pattern(fields, "alpha_pattern", path, fields.positive("lora_alpha", 8));
        return Size.of(rank, alpha, fields.flag("use_rslora", false));
    }

    /** The value for a layer in an object of values by regular expressions for the ends of names; the first one that fits. */
    private static double pattern(ConfigFields fields, String name, String path, double otherwise) {
        ConfigFields patterns = fields.object(name);
        if (patterns == null) {
            return otherwise;
        }
        for (String key : (Iterable<String>) patterns.json()::fieldNames) {
            if (BoundedRegex.matches("(.*\\.)?(" + key + ")", path, fields.where() + ": " + name)) {
                return name.startsWith("rank") ? patterns.extent(key, LARGEST_RANK) : patterns.positive(key);
            }
        }
        return otherwise;
    }

    /**
     * The tensor of a projection's adapter.
     *
     * @param path of the projection in the base model
     * @param which A or B
     */
    static String weight(String path, char which) {
        return PREFIX + path + ".lora_" + which + ".weight";
    }

    /** The largest rank. */
    int rank() {
        return sizes.stream()
                .flatMap(layer -> layer.values().stream())
                .mapToInt(Size::rank)
                .max()
                .orElse(1);
    }
}
