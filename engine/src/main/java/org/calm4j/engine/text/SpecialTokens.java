package org.calm4j.engine.text;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.config.Family;
import org.calm4j.engine.io.Json;

/**
 * The tokens with a role, from all files of a model folder that may name them.
 *
 * @param named tokens by role, such as {@code eos_token}: from {@code tokenizer_config.json} and {@code special_tokens_map.json}, of which the
 *     second goes first where the first has no {@code added_tokens_decoder}, as in transformers
 * @param ends token ids that end a sequence in {@code generation_config.json}, or else in {@code config.json}
 * @param classEnd the end-of-sequence token that transformers' class of tokenizer has where nothing names one; null without
 */
public record SpecialTokens(Map<String, String> named, List<Integer> ends, String classEnd) {
    static final String CONFIG = "tokenizer_config.json";
    private static final String END = "eos_token";
    private static final List<String> ROLES =
            List.of("bos_token", END, "unk_token", "sep_token", "pad_token", "cls_token", "mask_token");
    /** Defaults of the constructors of classes that our families do not have, names without "Fast". */
    private static final Map<String, String> CLASS_ENDS = Map.ofEntries(
            Map.entry("GPTNeoXTokenizer", "<|endoftext|>"),
            Map.entry("CodeGenTokenizer", "<|endoftext|>"),
            Map.entry("CodeLlamaTokenizer", "</s>"),
            Map.entry("BloomTokenizer", "</s>"),
            Map.entry("XGLMTokenizer", "</s>"),
            Map.entry("T5Tokenizer", "</s>"),
            Map.entry("RobertaTokenizer", "</s>"),
            Map.entry("BartTokenizer", "</s>"),
            Map.entry("GemmaTokenizer", "<eos>"),
            Map.entry("CohereTokenizer", "<|END_OF_TURN_TOKEN|>"));

    /** @throws CalmException bad input: a broken file */
    public static SpecialTokens read(Path folder) {
        ObjectNode config = object(folder.resolve(CONFIG));
        ObjectNode model = object(folder.resolve("config.json"));
        Map<String, String> named = new HashMap<>();
        Map<String, String> configured = roles(config);
        Map<String, String> mapped = roles(object(folder.resolve("special_tokens_map.json")));
        boolean mapFirst = !config.has("added_tokens_decoder");
        named.putAll(mapFirst ? configured : mapped);
        named.putAll(mapFirst ? mapped : configured);
        List<Integer> ends =
                ids(object(folder.resolve("generation_config.json")).path("eos_token_id"));
        String type = config.path("tokenizer_class")
                .asText(model.path("tokenizer_class").asText(""));
        String end = type.isEmpty()
                ? Family.of(model.path("model_type").asText(""))
                        .map(family -> family.tokenizer().end())
                        .orElse(null)
                : classEnd(type.replaceFirst("Fast$", ""));
        return new SpecialTokens(named, ends.isEmpty() ? ids(model.path("eos_token_id")) : ends, end);
    }

    /** Null for an unknown class. */
    private static String classEnd(String name) {
        return Family.ALL.stream()
                .map(Family::tokenizer)
                .filter(each -> each.name().equals(name))
                .map(Family.TokenizerClass::end)
                .findFirst()
                .orElse(CLASS_ENDS.get(name));
    }

    /** Those that a tokenizer_config.json alone names. */
    static SpecialTokens of(ObjectNode config) {
        return new SpecialTokens(roles(config), List.of(), null);
    }

    /** A file that may be missing. */
    static ObjectNode object(Path file) {
        if (!Files.exists(file)) {
            return JsonNodeFactory.instance.objectNode();
        }
        if (Json.read(file, JsonNode.class) instanceof ObjectNode object) {
            return object;
        }
        throw CalmException.badInput(file, "not a JSON object");
    }

    private static Map<String, String> roles(ObjectNode file) {
        Map<String, String> roles = new HashMap<>();
        for (String role : ROLES) {
            JsonNode token = file.path(role).isObject() ? file.path(role).path("content") : file.path(role);
            if (token.isTextual()) {
                roles.put(role, token.textValue());
            }
        }
        return roles;
    }

    private static List<Integer> ids(JsonNode value) {
        List<Integer> ids = new ArrayList<>();
        for (JsonNode id : value.isArray() ? value : List.of(value)) {
            if (id.isInt() && id.intValue() >= 0) {
                ids.add(id.intValue());
            }
        }
        return ids;
    }

    /**
     * The id of the token that ends a sequence; {@link Vocabulary#NONE} if none is found.
     *
     * @param after what the post-processor puts after a text
     */
    int end(Tokenizer tokenizer, int[] after) {
        int id = named.containsKey(END) ? tokenizer.id(named.get(END)) : Vocabulary.NONE;
        for (int end : ends) {
            id = id == Vocabulary.NONE && tokenizer.has(end) ? end : id;
        }
        if (id == Vocabulary.NONE && after.length > 0) {
            return after[after.length - 1];
        }
        return id == Vocabulary.NONE && classEnd != null ? tokenizer.id(classEnd) : id;
    }

    /** Why there is no such token, and what to do. */
    String missingEnd() {
        return (named.containsKey(END)
                        ? "eos_token \"" + named.get(END) + "\" is not in the vocabulary"
                        : "the model names no end-of-sequence token")
                + "; set eos_token in " + CONFIG;
    }
}
