package org.calm4j.engine.text;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import it.unimi.dsi.fastutil.ints.IntArrayList;
import it.unimi.dsi.fastutil.ints.IntOpenHashSet;
import it.unimi.dsi.fastutil.objects.Object2IntOpenHashMap;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Json;

/**
 * Text to token ids and back, from a Hugging Face {@code tokenizer.json}: added tokens are cut out first, the rest goes through the
 * pre-tokenizer and the vocabulary. What is not supported is an error that names it.
 */
public final class Tokenizer {
    private static final String FILE = "tokenizer.json";
    private static final String CONFIG = "tokenizer_config.json";

    private final ObjectNode json;
    private final ObjectNode config;
    private final PreTokenizer preTokenizer;
    private final Vocabulary vocabulary;
    private final Object2IntOpenHashMap<String> added = new Object2IntOpenHashMap<>();
    private final IntOpenHashSet special = new IntOpenHashSet();
    private final Pattern addedPattern;
    private final String[] tokens;
    private final boolean byteLevel;
    private final int[] prefix;
    private final int[] suffix;

    private Tokenizer(ObjectNode json, ObjectNode config, Object where) {
        this.json = json;
        this.config = config;
        if (!json.path("normalizer").isNull() && !json.path("normalizer").isMissingNode()) {
            throw CalmException.badInput(where, "normalizer " + json.path("normalizer").path("type") + " is not supported");
        }
        preTokenizer = PreTokenizer.of(json.path("pre_tokenizer"), where);
        vocabulary = Vocabulary.of(json.path("model"), where);
        added.defaultReturnValue(Vocabulary.NONE);
        readAdded(where);
        addedPattern = added.isEmpty() ? null : Pattern.compile(added.keySet().stream()
                .sorted(Comparator.comparingInt(String::length).reversed()).map(Pattern::quote).collect(Collectors.joining("|")));
        int size = 0;
        for (int id : vocabulary.ids().values()) {
            size = Math.max(size, id + 1);
        }
        for (int id : added.values()) {
            size = Math.max(size, id + 1);
        }
        if (size > 2 * (vocabulary.ids().size() + added.size()) + 1000) {
            throw CalmException.badInput(where, "the largest token id is " + (size - 1) + " among " + vocabulary.ids().size() + " tokens");
        }
        tokens = new String[size];
        vocabulary.ids().forEach((token, id) -> tokens[id] = token);
        added.forEach((token, id) -> tokens[id] = token);
        byteLevel = byteLevel(where);
        List<int[]> around = around(where);
        prefix = around.get(0);
        suffix = around.get(1);
    }

    /**
     * Reads {@code tokenizer.json} and, beside it, {@code tokenizer_config.json}.
     *
     * @throws CalmException bad input: missing, broken, or with a part that is not supported
     */
    public static Tokenizer read(Path folder) {
        Path file = folder.resolve(FILE);
        if (!(Json.read(file, JsonNode.class) instanceof ObjectNode json)) {
            throw CalmException.badInput(file, "not a JSON object");
        }
        Path configFile = folder.resolve(CONFIG);
        ObjectNode config = JsonNodeFactory.instance.objectNode();
        if (Files.exists(configFile)) {
            if (!(Json.read(configFile, JsonNode.class) instanceof ObjectNode object)) {
                throw CalmException.badInput(configFile, "not a JSON object");
            }
            config = object;
        }
        return new Tokenizer(json, config, file);
    }

    /**
     * A vocabulary of whole words: tokens are separated by U+0020 alone, so that a name may hold U+00A0.
     *
     * @param words without the special tokens, which come first
     */
    public static Tokenizer wordLevel(List<String> words, String unknown, String endOfSequence) {
        ObjectNode model = JsonNodeFactory.instance.objectNode();
        model.put("type", "WordLevel");
        ObjectNode ids = model.putObject("vocab");
        ids.put(unknown, 0);
        ids.put(endOfSequence, 1);
        for (String word : words) {
            ids.put(word, ids.size());
        }
        model.put("unk_token", unknown);
        ObjectNode split = JsonNodeFactory.instance.objectNode();
        split.put("type", "Split");
        split.putObject("pattern").put("String", " ");
        split.put("behavior", "Removed").put("invert", false);
        return assemble(model, split, null, List.of(unknown, endOfSequence), unknown, endOfSequence);
    }

    /** A byte-level vocabulary, as {@link BpeTrainer} finds it. The end-of-sequence token is the only special one. */
    static Tokenizer byteLevelBpe(List<String> vocabulary, List<String[]> merges, String endOfSequence) {
        ObjectNode model = JsonNodeFactory.instance.objectNode();
        model.put("type", "BPE");
        ObjectNode ids = model.putObject("vocab");
        vocabulary.forEach(token -> ids.put(token, ids.size()));
        ArrayNode list = model.putArray("merges");
        merges.forEach(merge -> list.addArray().add(merge[0]).add(merge[1]));
        ObjectNode bytes = JsonNodeFactory.instance.objectNode();
        bytes.put("type", "ByteLevel").put("add_prefix_space", false).put("trim_offsets", true).put("use_regex", true);
        return assemble(model, bytes, bytes, List.of(endOfSequence), null, endOfSequence);
    }

    private static Tokenizer assemble(ObjectNode model, ObjectNode preTokenizer, ObjectNode decoder, List<String> specials, String unknown,
            String endOfSequence) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("version", "1.0");
        json.putNull("truncation").putNull("padding");
        ArrayNode addedTokens = json.putArray("added_tokens");
        for (String token : specials) {
            addedTokens.addObject().put("id", model.path("vocab").path(token).asInt()).put("content", token).put("single_word", false)
                    .put("lstrip", false).put("rstrip", false).put("normalized", false).put("special", true);
        }
        json.putNull("normalizer");
        json.set("pre_tokenizer", preTokenizer);
        json.putNull("post_processor");
        json.set("decoder", decoder == null ? JsonNodeFactory.instance.nullNode() : decoder);
        json.set("model", model);
        ObjectNode config = JsonNodeFactory.instance.objectNode();
        config.put("tokenizer_class", "PreTrainedTokenizerFast");
        config.put("eos_token", endOfSequence);
        if (unknown != null) {
            config.put("unk_token", unknown);
        }
        config.put("clean_up_tokenization_spaces", false);
        return new Tokenizer(json, config, FILE);
    }

    /** Writes {@code tokenizer.json} and {@code tokenizer_config.json} into a folder. */
    public void save(Path folder) {
        Json.write(folder.resolve(FILE), json);
        Json.write(folder.resolve(CONFIG), config);
    }

    private void readAdded(Object where) {
        for (JsonNode token : json.path("added_tokens")) {
            String content = token.path("content").asText();
            for (String option : List.of("single_word", "lstrip", "rstrip")) {
                if (token.path(option).asBoolean(false)) {
                    throw CalmException.badInput(where, "added token \"" + content + "\": " + option + " is not supported");
                }
            }
            if (content.isEmpty() || !token.path("id").isInt() || token.path("id").asInt() < 0) {
                throw CalmException.badInput(where, "an added token has no content or no id: " + token);
            }
            added.put(content, token.path("id").asInt());
            if (token.path("special").asBoolean(false)) {
                special.add(token.path("id").asInt());
            }
        }
    }

    private boolean byteLevel(Object where) {
        JsonNode decoder = json.path("decoder");
        if (decoder.isNull() || decoder.isMissingNode()) {
            return false;
        }
        if (!decoder.path("type").asText().equals("ByteLevel")) {
            throw CalmException.badInput(where, "decoder " + decoder.path("type") + " is not supported; supported: ByteLevel");
        }
        return true;
    }

    /** What the post-processor puts before and behind a text. */
    private List<int[]> around(Object where) {
        JsonNode processor = json.path("post_processor");
        String type = processor.path("type").asText("ByteLevel");
        IntArrayList before = new IntArrayList();
        IntArrayList behind = new IntArrayList();
        List<JsonNode> processors = type.equals("Sequence") ? processor.path("processors").valueStream().toList() : List.of(processor);
        for (JsonNode part : processors) {
            String kind = part.path("type").asText("ByteLevel");
            if (kind.equals("TemplateProcessing")) {
                boolean text = false;
                for (JsonNode item : part.path("single")) {
                    text |= item.has("Sequence");
                    if (item.has("SpecialToken")) {
                        JsonNode ids = part.path("special_tokens").path(item.path("SpecialToken").path("id").asText()).path("ids");
                        for (JsonNode id : ids) {
                            (text ? behind : before).add(id.asInt());
                        }
                    }
                }
            } else if (!kind.equals("ByteLevel")) {
                throw CalmException.badInput(where, "post_processor \"" + kind + "\" is not supported; supported: ByteLevel, TemplateProcessing");
            }
        }
        return List.of(before.toIntArray(), behind.toIntArray());
    }

    /** With what the post-processor adds, such as a beginning-of-sequence token. */
    public int[] encode(String text) {
        return encode(text, true);
    }

    /** @param specialTokens whether the post-processor adds its tokens; tokens that stand in the text are recognised anyway */
    public int[] encode(String text, boolean specialTokens) {
        IntArrayList ids = new IntArrayList();
        if (specialTokens) {
            ids.addElements(0, prefix);
        }
        int at = 0;
        if (addedPattern != null) {
            Matcher matcher = addedPattern.matcher(text);
            while (matcher.find()) {
                encodePlain(text.substring(at, matcher.start()), ids);
                ids.add(added.getInt(matcher.group()));
                at = matcher.end();
            }
        }
        encodePlain(text.substring(at), ids);
        if (specialTokens) {
            ids.addElements(ids.size(), suffix);
        }
        return ids.toIntArray();
    }

    private void encodePlain(String text, IntArrayList to) {
        if (!text.isEmpty()) {
            for (String word : preTokenizer.split(text)) {
                vocabulary.encode(word, to);
            }
        }
    }

    /**
     * @param skipSpecialTokens whether special tokens are left out
     * @throws CalmException bad input: an id that no token has
     */
    public String decode(int[] ids, boolean skipSpecialTokens) {
        List<String> parts = new ArrayList<>();
        for (int id : ids) {
            String token = token(id);
            if (!skipSpecialTokens || !special.contains(id)) {
                parts.add(token);
            }
        }
        if (!byteLevel) {
            return String.join(" ", parts);
        }
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        for (String part : parts) {
            bytes.writeBytes(ByteAlphabet.decode(part));
        }
        return bytes.toString(StandardCharsets.UTF_8);
    }

    /** One more than the largest id. */
    public int size() {
        return tokens.length;
    }

    /** @throws CalmException bad input: no token has this id */
    public String token(int id) {
        if (id < 0 || id >= tokens.length || tokens[id] == null) {
            throw CalmException.badInput("token id " + id, "not in the vocabulary of " + tokens.length);
        }
        return tokens[id];
    }

    /** The id of a token; -1 when there is no such token. */
    public int id(String token) {
        int id = added.getInt(token);
        return id == Vocabulary.NONE ? vocabulary.ids().getInt(token) : id;
    }

    /** The id of {@code eos_token}; -1 without one. */
    public int eosId() {
        String token = configured("eos_token");
        return token == null ? Vocabulary.NONE : id(token);
    }

    /** A token that {@code tokenizer_config.json} names, such as {@code bos_token}; null where it does not. */
    public String configured(String name) {
        JsonNode node = config.path(name);
        JsonNode content = node.isObject() ? node.path("content") : node;
        return content.isTextual() ? content.asText() : null;
    }
}
