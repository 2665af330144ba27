package org.calm4j.engine.text;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import it.unimi.dsi.fastutil.ints.IntArrayList;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Json;

/**
 * Text to token ids and back, from a Hugging Face {@code tokenizer.json}: added tokens are cut out first, the rest goes through
 * the normalizer, the pre-tokenizer and the vocabulary. Ids and text are those of Hugging Face's library; what is not supported is an error
 * that names it. {@code truncation} and {@code padding} are ignored. Thread-safe.
 */
public final class Tokenizer {
    private static final String FILE = "tokenizer.json";

    private final ObjectNode json;
    private final ObjectNode config;
    private final AddedTokens added;
    private final Vocabulary vocabulary;
    private final Part preTokenizer;
    private final Words words;
    private final PostProcessor postProcessor;
    private final Part decoding;
    private final Decoder decoder;
    private final String[] tokens;
    private final SpecialTokens special;
    private final int vocabSize;
    private final int end;

    private Tokenizer(ObjectNode json, ObjectNode config, SpecialTokens special, int vocabSize, Object where) {
        this.json = json;
        this.config = config;
        this.special = special;
        this.vocabSize = vocabSize;
        Part file = new Part(json, "", where);
        vocabulary = Vocabulary.of(file.get("model"));
        added = AddedTokens.of(file.list("added_tokens"), file.section("normalizer"), vocabulary.ids());
        preTokenizer = file.section("pre_tokenizer");
        words = new Words(PreTokenizer.of(preTokenizer), vocabulary);
        postProcessor = PostProcessor.of(file.section("post_processor"));
        decoding = file.section("decoder");
        decoder = Decoder.of(decoding);
        int largest = postProcessor.largest();
        for (int id : vocabulary.ids().values()) {
            largest = Math.max(largest, id);
        }
        for (int id : added.ids().values()) {
            largest = Math.max(largest, id);
        }
        if (largest >= 2 * (vocabulary.ids().size() + added.ids().size()) + 1000) {
            throw file.error("has " + largest + " for its largest token id, among "
                    + vocabulary.ids().size() + " tokens");
        }
        tokens = new String[largest + 1];
        vocabulary.ids().forEach((token, id) -> tokens[id] = token);
        added.ids().forEach((token, id) -> tokens[id] = token);
        int named = special.end(this, postProcessor.after());
        end = named < vocabSize ? named : Vocabulary.NONE;
    }

    /**
     * Reads {@code tokenizer.json} and, beside it, {@code tokenizer_config.json} and other files that name special tokens.
     *
     * @throws CalmException bad input: missing, broken, or with a part that is not supported
     */
    public static Tokenizer read(Path folder) {
        return read(folder, Integer.MAX_VALUE);
    }

    /**
     * The same for a model. A tokenizer may have tokens that the model has no place for, as long as no text uses them.
     *
     * @param vocabSize of the model; a text with a token beyond it is an error
     */
    public static Tokenizer read(Path folder, int vocabSize) {
        Path file = folder.resolve(FILE);
        if (!(Json.read(file, JsonNode.class) instanceof ObjectNode json)) {
            throw CalmException.badInput(file, "not a JSON object");
        }
        ObjectNode config = SpecialTokens.object(folder.resolve(SpecialTokens.CONFIG));
        return new Tokenizer(json, config, SpecialTokens.read(folder), vocabSize, file);
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

    /** A byte-level vocabulary, as learned by {@link BpeTrainer}. The end-of-sequence token is the only special one. */
    static Tokenizer byteLevelBpe(List<String> vocabulary, List<String[]> merges, String endOfSequence) {
        ObjectNode model = JsonNodeFactory.instance.objectNode();
        model.put("type", "BPE");
        ObjectNode ids = model.putObject("vocab");
        vocabulary.forEach(token -> ids.put(token, ids.size()));
        ArrayNode list = model.putArray("merges");
        merges.forEach(merge -> list.addArray().add(merge[0]).add(merge[1]));
        ObjectNode bytes = JsonNodeFactory.instance.objectNode();
        bytes.put("type", "ByteLevel")
                .put("add_prefix_space", false)
                .put("trim_offsets", true)
                .put("use_regex", true);
        return assemble(model, bytes, bytes, List.of(endOfSequence), null, endOfSequence);
    }

    private static Tokenizer assemble(
            ObjectNode model,
            ObjectNode preTokenizer,
            ObjectNode decoder,
            List<String> specials,
            String unknown,
            String endOfSequence) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("version", "1.0");
        json.putNull("truncation").putNull("padding");
        ArrayNode addedTokens = json.putArray("added_tokens");
        for (String token : specials) {
            addedTokens
                    .addObject()
                    .put("id", model.path("vocab").path(token).asInt())
                    .put("content", token)
                    .put("single_word", false)
                    .put("lstrip", false)
                    .put("rstrip", false)
                    .put("normalized", false)
                    .put("special", true);
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
        return new Tokenizer(json, config, SpecialTokens.of(config), Integer.MAX_VALUE, FILE);
    }

    /** Writes {@code tokenizer.json} and {@code tokenizer_config.json} into a folder. */
    public void save(Path folder) {
        Json.write(folder.resolve(FILE), json);
        Json.write(folder.resolve(SpecialTokens.CONFIG), config);
    }

    /** Includes the post-processor's tokens, such as a beginning-of-sequence token. */
    public int[] encode(String text) {
        return encode(text, true);
    }

    /** The beginning of a text that continues: with the post-processor's tokens before a text, without those after it. */
    public int[] encodePrompt(String text) {
        IntArrayList ids = new IntArrayList(postProcessor.before());
        encode(text, ids);
        return known(ids);
    }

    /** @param specialTokens whether the post-processor adds its tokens; tokens in the text are recognised anyway */
    public int[] encode(String text, boolean specialTokens) {
        IntArrayList ids = new IntArrayList(text.length() / 3 + 2);
        if (specialTokens) {
            ids.addElements(0, postProcessor.before());
        }
        encode(text, ids);
        if (specialTokens) {
            ids.addElements(ids.size(), postProcessor.after());
        }
        return known(ids);
    }

    private int[] known(IntArrayList ids) {
        int[] all = ids.toIntArray();
        for (int i = 0; i < all.length && tokens.length > vocabSize; i++) {
            if (all[i] >= vocabSize) {
                throw CalmException.badInput(
                        "token \"" + tokens[all[i]] + "\"",
                        "has the id " + all[i] + ", the model's vocab_size is " + vocabSize);
            }
        }
        return all;
    }

    private void encode(String text, IntArrayList to) {
        Allowance allowance = new Allowance(preTokenizer, text.length());
        added.cut(text, to::add, (rest, start) -> words.encode(rest, start, to, allowance));
    }

    /** The ids followed by the end-of-sequence token, unless they end with it, or there is none. */
    public int[] ended(int[] ids) {
        if (end == Vocabulary.NONE || ids.length > 0 && ids[ids.length - 1] == end) {
            return ids;
        }
        int[] ended = Arrays.copyOf(ids, ids.length + 1);
        ended[ids.length] = end;
        return ended;
    }

    /**
     * An unused id gives no text, as in Hugging Face's library: models have room for more ids than there are tokens.
     *
     * @param skipSpecialTokens whether special tokens are left out
     */
    public String decode(int[] ids, boolean skipSpecialTokens) {
        StreamingDecoder stream = streamingDecoder(skipSpecialTokens);
        StringBuilder text = new StringBuilder();
        for (int id : ids) {
            text.append(stream.add(id));
        }
        return text.append(stream.finish()).toString();
    }

    /** For tokens that come one by one. */
    public StreamingDecoder streamingDecoder(boolean skipSpecialTokens) {
        return new StreamingDecoder(this, skipSpecialTokens, decoder, new Allowance(decoding, 0));
    }

    /** One more than the largest id. */
    public int size() {
        return tokens.length;
    }

    /** @throws CalmException bad input: no token has this id */
    public String token(int id) {
        if (!has(id)) {
            throw CalmException.badInput("token id " + id, "not in the vocabulary of " + tokens.length);
        }
        return tokens[id];
    }

    /** A token as the decoder reads it. */
    String written(int id) {
        return added.written(id, tokens[id]);
    }

    /** Whether it is a special token, such as one that ends a turn. */
    public boolean isSpecial(String token) {
        return added.isSpecial(token);
    }

    /** The id of a token; -1 when there is no such token. */
    public int id(String token) {
        int id = added.ids().getInt(token);
        return id == Vocabulary.NONE ? vocabulary.ids().getInt(token) : id;
    }

    /** Whether a token has this id; a model may have room for more. */
    public boolean has(int id) {
        return id >= 0 && id < tokens.length && tokens[id] != null;
    }

    /**
     * The id of the token that ends a sequence; -1 without one. It is what {@code eos_token} names in tokenizer_config.json or
     * special_tokens_map.json; else a token in generation_config.json or config.json; else what the post-processor ends a text with; else the
     * default of the tokenizer's class in transformers.
     */
    public int eosId() {
        return end;
    }

    /** Why {@link #eosId} is none, and what to do. */
    public String missingEos() {
        return special.missingEnd();
    }
}
