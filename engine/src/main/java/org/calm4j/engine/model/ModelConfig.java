package org.calm4j.engine.model;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Json;

/**
 * The shape of a model, from a Hugging Face {@code config.json}.
 *
 * <p>A {@code model_type} or a field that would change the arithmetic and is not supported is an error that names it.
 *
 * @param json the whole file, so that what is saved keeps the fields that do not concern us
 */
public record ModelConfig(int vocabSize, int hiddenSize, int intermediateSize, int layers, int heads, int keyValueHeads, int headDim,
        double rmsNormEpsilon, double ropeTheta, int maxPositions, boolean tiedEmbeddings, double initializerRange, List<Integer> eos,
        ObjectNode json) {
    private static final int MAX_EXTENT = 1 << 24;

    /** A Llama-shaped model from nothing, with embeddings and head tied. */
    public static ModelConfig llama(int vocabSize, int hiddenSize, int intermediateSize, int layers, int heads, int keyValueHeads,
            int maxPositions, int eos) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.putArray("architectures").add("LlamaForCausalLM");
        json.put("model_type", "llama");
        json.put("vocab_size", vocabSize);
        json.put("hidden_size", hiddenSize);
        json.put("intermediate_size", intermediateSize);
        json.put("num_hidden_layers", layers);
        json.put("num_attention_heads", heads);
        json.put("num_key_value_heads", keyValueHeads);
        json.put("hidden_act", "silu");
        json.put("max_position_embeddings", maxPositions);
        json.put("initializer_range", 0.02);
        json.put("rms_norm_eps", 1e-6);
        json.put("rope_theta", 10000.0);
        json.put("tie_word_embeddings", true);
        json.put("eos_token_id", eos);
        json.put("torch_dtype", "float32");
        return of(json, "config.json");
    }

    /** @throws CalmException bad input: not a model of a supported family, naming the field */
    public static ModelConfig read(Path file) {
        JsonNode json = Json.read(file, JsonNode.class);
        if (!(json instanceof ObjectNode object)) {
            throw CalmException.badInput(file, "not a JSON object");
        }
        return of(object, file);
    }

    static ModelConfig of(ObjectNode json, Object where) {
        Fields fields = new Fields(json, where);
        fields.mustBe("model_type", "llama");
        fields.mustBe("hidden_act", "silu");
        fields.mustBe("attention_bias", "false");
        fields.mustBe("mlp_bias", "false");
        fields.mustBe("rope_scaling", "null");
        int hidden = fields.extent("hidden_size", 0);
        int heads = fields.extent("num_attention_heads", 0);
        int keyValueHeads = fields.extent("num_key_value_heads", heads);
        if (heads % keyValueHeads != 0) {
            throw CalmException.badInput(where, "num_attention_heads " + heads + " is no multiple of num_key_value_heads " + keyValueHeads);
        }
        int headDim = fields.extent("head_dim", hidden / heads);
        if (headDim % 2 != 0) {
            throw CalmException.badInput(where, "the head size " + headDim + " is odd, rotary embeddings need it even");
        }
        return new ModelConfig(fields.extent("vocab_size", 0), hidden, fields.extent("intermediate_size", 0),
                fields.extent("num_hidden_layers", 0), heads, keyValueHeads, headDim, fields.number("rms_norm_eps", 1e-6),
                fields.ropeTheta(), fields.extent("max_position_embeddings", 2048), json.path("tie_word_embeddings").asBoolean(false),
                fields.number("initializer_range", 0.02), fields.ids("eos_token_id"), json);
    }

    /** The same model with the end-of-sequence tokens of a {@code generation_config.json}, where it names some. */
    ModelConfig withGeneration(Path file) {
        if (!(Json.read(file, JsonNode.class) instanceof ObjectNode generation)) {
            throw CalmException.badInput(file, "not a JSON object");
        }
        List<Integer> ids = new Fields(generation, file).ids("eos_token_id");
        return ids.isEmpty() ? this : new ModelConfig(vocabSize, hiddenSize, intermediateSize, layers, heads, keyValueHeads, headDim,
                rmsNormEpsilon, ropeTheta, maxPositions, tiedEmbeddings, initializerRange, ids, json);
    }

    /** The same model with its weights stored as F32. */
    public ObjectNode toJson() {
        ObjectNode copy = json.deepCopy();
        copy.remove("dtype");
        copy.put("torch_dtype", "float32");
        return copy;
    }

    /** Number of parameters, the tied head counted once. */
    public long parameters() {
        long block = 2L * hiddenSize;
        for (Projection projection : Projection.values()) {
            block += (long) projection.inputSize(this) * projection.outputSize(this);
        }
        return layers * block + hiddenSize + (tiedEmbeddings ? 1L : 2L) * vocabSize * hiddenSize;
    }

    private record Fields(ObjectNode json, Object where) {
        void mustBe(String name, String only) {
            JsonNode value = json.get(name);
            boolean required = name.equals("model_type");
            if (value == null && !required || value != null && value.asText().equals(only)) {
                return;
            }
            throw CalmException.badInput(where, name + " is " + (value == null ? "missing" : value) + "; supported: " + only);
        }

        int extent(String name, int otherwise) {
            JsonNode value = json.get(name);
            if (value == null || value.isNull()) {
                if (otherwise > 0) {
                    return otherwise;
                }
                throw CalmException.badInput(where, name + " is missing");
            }
            if (!value.isInt() || value.asInt() < 1 || value.asInt() > MAX_EXTENT) {
                throw CalmException.badInput(where, name + " is " + value + ", expected a whole number from 1 to " + MAX_EXTENT);
            }
            return value.asInt();
        }

        double number(String name, double otherwise) {
            JsonNode value = json.get(name);
            if (value == null || value.isNull()) {
                return otherwise;
            }
            if (!value.isNumber() || !(value.asDouble() > 0) || !Double.isFinite(value.asDouble())) {
                throw CalmException.badInput(where, name + " is " + value + ", expected a positive number");
            }
            return value.asDouble();
        }

        /** {@code rope_theta}, or {@code rope_parameters.rope_theta} as newer files write it. */
        double ropeTheta() {
            JsonNode nested = json.path("rope_parameters");
            String type = nested.path("rope_type").asText("default");
            if (!type.equals("default")) {
                throw CalmException.badInput(where, "rope_parameters.rope_type is \"" + type + "\"; supported: default");
            }
            return nested.path("rope_theta").isNumber() ? nested.path("rope_theta").asDouble() : number("rope_theta", 10000);
        }

        List<Integer> ids(String name) {
            JsonNode value = json.get(name);
            List<Integer> ids = new ArrayList<>();
            if (value != null && value.isArray()) {
                value.forEach(id -> ids.add(id.asInt()));
            } else if (value != null && value.isInt()) {
                ids.add(value.asInt());
            }
            return List.copyOf(ids);
        }
    }
}
