package org.calm4j.engine.model;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collection;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;

/**
 * The shape of a model, from a Hugging Face {@code config.json}: all that makes one family differ from another, as data.
 *
 * @param rope null where positions are learned
 * @param windows per layer, how many keys back from a query it sees, itself included; 0 for all
 * @param headNorms RMSNorm on each head of queries and keys, as in Qwen3
 * @param biases projections that have one
 * @param attentionScales per layer, what scores are multiplied by
 * @param json the whole file, so that what is saved keeps the fields that do not concern us
 */
public record ModelConfig(
        Family family,
        int vocabSize,
        int hiddenSize,
        int intermediateSize,
        int layers,
        int heads,
        int keyValueHeads,
        int headDim,
        double normEpsilon,
        Rope rope,
        List<Integer> windows,
        boolean headNorms,
        Set<Projection> biases,
        List<Double> attentionScales,
        int maxPositions,
        boolean tiedEmbeddings,
        double initializerRange,
        List<Integer> eos,
        ObjectNode json) {
    private static final double MOST_PARAMETERS = 1e13;

    /** A Llama-shaped model from nothing, with embeddings and head tied. */
    public static ModelConfig llama(
            int vocabSize,
            int hiddenSize,
            int intermediateSize,
            int layers,
            int heads,
            int keyValueHeads,
            int maxPositions,
            int eos) {
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
        return of(object(file), file);
    }

    private static ObjectNode object(Path file) {
        if (Json.read(file, JsonNode.class) instanceof ObjectNode object) {
            return object;
        }
        throw CalmException.badInput(file, "not a JSON object");
    }

    /** @param where the object comes from, for error messages */
    public static ModelConfig of(ObjectNode json, Object where) {
        ModelConfig config = new ConfigReader(new ConfigFields(json, where)).read();
        double parameters = Parameters.shapes(config).values().stream()
                .mapToDouble(ModelConfig::product)
                .sum();
        if (parameters > MOST_PARAMETERS) {
            throw CalmException.badInput(
                    where,
                    "these sizes make %.1e parameters; supported: up to %.0e".formatted(parameters, MOST_PARAMETERS));
        }
        return config;
    }

    /** Without the overflow that sizes from a broken file would give. */
    private static double product(long[] shape) {
        return Arrays.stream(shape).mapToDouble(extent -> extent).reduce(1, (a, b) -> a * b);
    }

    /** The same model with the end-of-sequence tokens of a {@code generation_config.json}, where it names some. */
    ModelConfig withGeneration(Path file) {
        List<Integer> ids = new ConfigFields(object(file), file).ids("eos_token_id");
        return ids.isEmpty() ? this : withEos(ids);
    }

    /** Fields of the file that say something, but nothing that transformers or we use in this family. */
    List<String> ignoredFields() {
        return new ConfigReader(new ConfigFields(json, "config.json")).ignored();
    }

    /** The end-of-sequence tokens that the file names, without what the family has where it names none. */
    List<Integer> namedEos() {
        return new ConfigFields(json, "config.json").ids("eos_token_id");
    }

    /** The same model with other end-of-sequence tokens. */
    ModelConfig withEos(List<Integer> ids) {
        return new ModelConfig(
                family,
                vocabSize,
                hiddenSize,
                intermediateSize,
                layers,
                heads,
                keyValueHeads,
                headDim,
                normEpsilon,
                rope,
                windows,
                headNorms,
                biases,
                attentionScales,
                maxPositions,
                tiedEmbeddings,
                initializerRange,
                ids,
                json);
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

    /** Number of parameters, the tied head counted once. */
    public long parameters() {
        return Parameters.shapes(this).values().stream()
                .mapToLong(Tensor::product)
                .sum();
    }

    /**
     * The linear layers that names choose, as PEFT has it: {@code all-linear}, or the end of a layer's name, such as {@code q_proj} or
     * {@code self_attn.q_proj}.
     *
     * @throws CalmException wrong usage: a name that is no linear layer of a block
     */
    public Set<Projection> projections(Collection<String> names) {
        Set<Projection> chosen = EnumSet.noneOf(Projection.class);
        for (String name : names) {
            Set<Projection> found = EnumSet.noneOf(Projection.class);
            for (Projection projection : family.projections()) {
                if (name.equals("all-linear") || ("." + family.path(0, projection)).endsWith("." + name)) {
                    found.add(projection);
                }
            }
            if (found.isEmpty()) {
                throw CalmException.usage("no linear layer is called \"" + name + "\"; known: all-linear, "
                        + String.join(
                                ", ",
                                new TreeSet<>(family.projections().stream()
                                        .map(family::module)
                                        .toList())));
            }
            chosen.addAll(found);
        }
        return chosen;
    }
}
