package org.calm4j.engine.model;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.BooleanNode;
import com.fasterxml.jackson.databind.node.DoubleNode;
import com.fasterxml.jackson.databind.node.IntNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.NumericNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;
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

    /** The end of the name of DoRA's magnitudes. */
    static final String MAGNITUDE = ".lora_magnitude_vector";

    /** The prefix that PEFT puts before the names of the base model's tensors. */
    static final String PREFIX = "base_model.model.";

    /** @param scale the factor of the adapter's output */
    record Size(int rank, double scale) {
        static Size of(int rank, double alpha, boolean rankStabilized) {
            return new Size(rank, alpha / (rankStabilized ? Math.sqrt(rank) : rank));
        }
    }

    /**
     * The file of a new adapter: PEFT's fields in PEFT's order, those that every release knows.
     *
     * @throws CalmException wrong usage: settings that fit no layer of the model
     */
    static AdapterConfig of(ModelConfig config, LoraSettings settings) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        ObjectNode alphas = json.putObject("alpha_pattern");
        settings.alphaPattern().forEach((path, alpha) -> alphas.set(path, number(alpha)));
        json.putNull("auto_mapping").putNull("base_model_name_or_path").put("bias", "none");
        json.put("fan_in_fan_out", config.layout().transposed()).put("inference_mode", true);
        // PEFT changes the base model where it reads "pissa"; what is saved fits the base model as it is.
        json.set(
                "init_lora_weights",
                settings.start() == LoraSettings.Start.GAUSSIAN ? TextNode.valueOf("gaussian") : BooleanNode.TRUE);
        json.putNull("layers_pattern").putNull("layers_to_transform");
        if (!settings.layers().isEmpty()) {
            settings.layers().forEach(json.putArray("layers_to_transform")::add);
        }
        json.set("lora_alpha", number(settings.alpha()));
        json.put("lora_dropout", settings.dropout()).putNull("modules_to_save");
        if (!settings.modulesToSave().isEmpty()) {
            settings.modulesToSave().forEach(json.putArray("modules_to_save")::add);
        }
        json.put("peft_type", "LORA").put("r", settings.rank());
        ObjectNode ranks = json.putObject("rank_pattern");
        settings.rankPattern().forEach(ranks::put);
        json.putNull("revision");
        if (settings.regex() != null) {
            json.put("target_modules", settings.regex());
        } else {
            modules(config.layout(), settings.targets()).forEach(json.putArray("target_modules")::add);
        }
        json.put("task_type", "CAUSAL_LM")
                .put("use_dora", settings.dora())
                .put("use_rslora", settings.rankStabilized());
        ConfigFields fields = new ConfigFields(json, "the new adapter");
        AdapterConfig made = new AdapterConfig(json, settings.dropout(), sizes(config, fields, Map.of()));
        if (made.sizes.stream().allMatch(Map::isEmpty)) {
            throw CalmException.usage(
                    Setting.of("lora_targets"),
                    " fits no linear layer of the blocks, such as "
                            + config.layout()
                                    .path(
                                            0,
                                            config.layout()
                                                    .projections()
                                                    .iterator()
                                                    .next()));
        }
        return made;
    }

    private static NumericNode number(double value) {
        boolean whole = value == Math.rint(value) && Math.abs(value) <= Integer.MAX_VALUE;
        return whole ? IntNode.valueOf((int) value) : DoubleNode.valueOf(value);
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
        fields.flag("use_dora", false);
        fields.mustBeNeutral("bias", "none");
        fields.mustBeNeutral("init_lora_weights", PLAIN_STARTS);
        double dropout = json.path("lora_dropout").asDouble(0) == 0 ? 0 : fields.positive("lora_dropout");
        if (dropout >= 1) {
            throw fields.unsupported("lora_dropout", "from 0 to below 1");
        }
        return new AdapterConfig(json, dropout, sizes(config, fields, weights));
    }

    /** @param weights that tell the ranks; those that are not there are not compared */
    private static List<Map<Projection, Size>> sizes(
            ModelConfig config, ConfigFields fields, Map<String, Tensor> weights) {
        AdapterTargets targets = AdapterTargets.of(fields);
        List<Map<Projection, Size>> sizes = new ArrayList<>();
        for (int l = 0; l < config.layers(); l++) {
            Map<Projection, Size> layer = new LinkedHashMap<>();
            for (Projection p : config.layout().projections()) {
                String path = config.layout().path(l, p);
                if (targets.adapts(path)) {
                    layer.put(p, size(fields, path, weights.get(weight(path, 'A'))));
                }
            }
            sizes.add(layer);
        }
        for (String other : List.of(module(config.layout().embedding()), module(WeightLayout.HEAD))) {
            if (!targets.isAllLinear() && targets.adapts(other)) {
                throw fields.bad("target_modules names " + other + "; supported: the linear layers of the blocks");
            }
        }
        return sizes;
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

    /** The name of a projection's magnitudes (DoRA). */
    static String magnitude(String path) {
        return PREFIX + path + MAGNITUDE;
    }

    /** Whether the rows of adapted weights have magnitudes of their own (DoRA). */
    boolean dora() {
        return json.path("use_dora").asBoolean(false);
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
