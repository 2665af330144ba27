package org.calm4j.engine.config;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Json;

/** From a {@code config.json} to a {@link ModelConfig}, by way of the {@link Family} that its {@code model_type} names. */
public final class ConfigReader {
    private static final double MAX_PARAMETERS = 1e13;

    /** Fields that transformers ignores in all of our families, with their values without an effect. */
    private static final Map<String, Set<String>> OF_OTHERS = ofOthers();

    private ConfigReader() {}

    private static Map<String, Set<String>> ofOthers() {
        Map<String, Set<String>> fields = new LinkedHashMap<>();
        for (String name : List.of(
                "attn_logit_softcapping",
                "final_logit_softcapping",
                "query_pre_attn_scalar",
                "clip_qkv",
                "qkv_clip",
                "use_qk_norm",
                "no_rope_layers",
                "use_mrope",
                "add_cross_attention")) {
            fields.put(name, Set.of());
        }
        for (String name :
                List.of("embedding_multiplier", "residual_multiplier", "logits_scaling", "logit_scale", "scale_emb")) {
            fields.put(name, Set.of("1", "1.0"));
        }
        return fields;
    }

    /** @throws CalmException bad input: not a model of a supported family, naming the field */
    public static ModelConfig read(Path file) {
        return of(object(file), file);
    }

    private static ObjectNode object(Path file) {
        if (Json.read(file, JsonNode.class) instanceof ObjectNode object) {
            return object;
        }
        throw CalmException.badInput(file, "not a JSON object");
    }

    /** @param where the source of the object, for error messages */
    public static ModelConfig of(ObjectNode json, Object where) {
        ConfigFields fields = new ConfigFields(json, where);
        for (String name : List.of("quantization_config", "is_encoder_decoder", "pruned_heads")) {
            if (!isEmpty(fields, name)) {
                fields.mustBeNeutral(name);
            }
        }
        ModelConfig config = family(fields).read(fields);
        double parameters = config.shapes().values().stream()
                .mapToDouble(ConfigReader::product)
                .sum();
        if (parameters > MAX_PARAMETERS) {
            throw fields.bad(
                    "these sizes make %.1e parameters; supported: up to %.0e".formatted(parameters, MAX_PARAMETERS));
        }
        return config;
    }

    private static Family family(ConfigFields fields) {
        return Family.of(fields.text("model_type", ""))
                .orElseThrow(() -> fields.unsupported(
                        "model_type", Family.ALL.stream().map(Family::modelType).collect(Collectors.joining(", "))));
    }

    private static boolean isEmpty(ConfigFields fields, String name) {
        JsonNode value = fields.json().path(name);
        return value.isContainerNode() && value.isEmpty();
    }

    /** In floating point, so that sizes from a broken file do not overflow. */
    private static double product(long[] shape) {
        return Arrays.stream(shape).mapToDouble(extent -> extent).reduce(1, (a, b) -> a * b);
    }

    /** The same model with the end-of-sequence tokens of a {@code generation_config.json}, if it names any. */
    public static ModelConfig withGeneration(ModelConfig config, Path file) {
        List<Integer> ids = new ConfigFields(object(file), file).ids("eos_token_id");
        return ids.isEmpty() ? config : config.withEos(ids);
    }

    /** Fields of the file with a value that neither transformers nor we use in this family. */
    public static List<String> ignored(ModelConfig config) {
        ConfigFields fields = new ConfigFields(config.json(), "config.json");
        List<String> ignored = new ArrayList<>();
        OF_OTHERS.forEach((name, neutral) -> {
            if (!isEmpty(fields, name) && !fields.isNeutral(name, neutral)) {
                ignored.add(name);
            }
        });
        ignored.addAll(family(fields).ignored(fields));
        return ignored;
    }

    /** The end-of-sequence tokens that the file names, without the family's default. */
    public static List<Integer> namedEos(ModelConfig config) {
        return new ConfigFields(config.json(), "config.json").ids("eos_token_id");
    }
}
