package org.calm4j.calm.convert;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Json;

/**
 * The {@code tokenizer.bin} of llama2.c as a {@code tokenizer.json} that gives the same ids: a SentencePiece vocabulary with scores and one
 * token for each byte. {@code run.c} joins, of all neighbours that are a token together, those of the highest score, the leftmost of equal
 * ones; so every way to cut a token in two is a merge, and merges are ordered by the score of what they make.
 */
public final class Llama2Tokenizer {
    static final int UNKNOWN = 0;
    static final int BOS = 1;
    static final int EOS = 2;
    private static final int FIRST_BYTE = 3;
    private static final int FIRST_PIECE = FIRST_BYTE + 256;
    private static final String SPACE = "\u2581";
    private static final List<String> SPECIAL = List.of("<unk>", "<s>", "</s>");

    private record Merge(String left, String right, int made) {}

    private final List<String> pieces = new ArrayList<>();
    private final float[] scores;

    private Llama2Tokenizer(Path file, int vocabulary) {
        ByteBuffer bytes = read(file);
        scores = new float[vocabulary];
        if (vocabulary < FIRST_PIECE || bytes.remaining() < 4 + 8L * vocabulary) {
            throw CalmException.badInput(file, "not a llama2.c tokenizer with " + vocabulary + " tokens");
        }
        // The longest token's length, which nothing here depends on.
        bytes.getInt();
        Map<String, Integer> ids = new HashMap<>();
        for (int id = 0; id < vocabulary; id++) {
            scores[id] = bytes.remaining() < 8 ? Float.NaN : bytes.getFloat();
            int length = bytes.remaining() < 4 ? -1 : bytes.getInt();
            if (Float.isNaN(scores[id]) || length < 0 || length > bytes.remaining()) {
                throw CalmException.badInput(file, "is broken at token " + id);
            }
            String piece = id < FIRST_BYTE
                    ? SPECIAL.get(id)
                    : text(bytes.slice(bytes.position(), length), file, id).replace(" ", SPACE);
            bytes.position(bytes.position() + length);
            if (id >= FIRST_BYTE && id < FIRST_PIECE && !piece.equals(String.format("<0x%02X>", id - FIRST_BYTE))) {
                throw CalmException.badInput(file, "token " + id + " is not the byte " + (id - FIRST_BYTE));
            }
            if (ids.put(piece, id) != null) {
                throw CalmException.badInput(file, "token " + id + " occurs twice");
            }
            pieces.add(piece);
        }
        if (bytes.hasRemaining()) {
            throw CalmException.badInput(file, "has more than the model's " + vocabulary + " tokens");
        }
    }

    private static ByteBuffer read(Path file) {
        try {
            return ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
        } catch (IOException e) {
            throw CalmException.unreadable(file, e);
        }
    }

    private static String text(ByteBuffer bytes, Path file, int id) {
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(bytes).toString();
        } catch (CharacterCodingException e) {
            throw CalmException.badInput(file, "token " + id + " is not UTF-8", e);
        }
    }

    /**
     * Writes {@code tokenizer.json} and {@code tokenizer_config.json}.
     *
     * @param vocabulary the model's; the file has this many tokens
     * @throws CalmException bad input: not such a tokenizer
     */
    public static void convert(Path file, int vocabulary, Path folder) {
        Llama2Tokenizer tokenizer = new Llama2Tokenizer(file, vocabulary);
        Json.write(folder.resolve("tokenizer.json"), tokenizer.json());
        ObjectNode config = JsonNodeFactory.instance.objectNode();
        config.put("tokenizer_class", "PreTrainedTokenizerFast");
        config.put("unk_token", SPECIAL.get(UNKNOWN))
                .put("bos_token", SPECIAL.get(BOS))
                .put("eos_token", SPECIAL.get(EOS));
        config.put("clean_up_tokenization_spaces", false);
        Json.write(folder.resolve("tokenizer_config.json"), config);
    }

    private ObjectNode json() {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("version", "1.0").putNull("truncation").putNull("padding");
        ArrayNode added = json.putArray("added_tokens");
        for (int id = 0; id < SPECIAL.size(); id++) {
            added.addObject()
                    .put("id", id)
                    .put("content", SPECIAL.get(id))
                    .put("single_word", false)
                    .put("lstrip", false)
                    .put("rstrip", false)
                    .put("normalized", false)
                    .put("special", true);
        }
        ArrayNode normalizers =
                json.putObject("normalizer").put("type", "Sequence").putArray("normalizers");
        normalizers.addObject().put("type", "Prepend").put("prepend", SPACE);
        normalizers
                .addObject()
                .put("type", "Replace")
                .put("content", SPACE)
                .putObject("pattern")
                .put("String", " ");
        json.putNull("pre_tokenizer");
        postProcessor(json.putObject("post_processor"));
        ArrayNode decoders = json.putObject("decoder").put("type", "Sequence").putArray("decoders");
        decoders.addObject()
                .put("type", "Replace")
                .put("content", " ")
                .putObject("pattern")
                .put("String", SPACE);
        decoders.addObject().put("type", "ByteFallback");
        decoders.addObject().put("type", "Fuse");
        decoders.addObject()
                .put("type", "Strip")
                .put("content", " ")
                .put("start", 1)
                .put("stop", 0);
        ObjectNode model = json.putObject("model");
        model.put("type", "BPE")
                .putNull("dropout")
                .put("unk_token", SPECIAL.get(UNKNOWN))
                .putNull("continuing_subword_prefix")
                .putNull("end_of_word_suffix")
                .put("fuse_unk", true)
                .put("byte_fallback", true)
                .put("ignore_merges", false);
        ObjectNode vocabulary = model.putObject("vocab");
        pieces.forEach(piece -> vocabulary.put(piece, vocabulary.size()));
        ArrayNode merges = model.putArray("merges");
        merges().forEach(merge -> merges.addArray().add(merge.left).add(merge.right));
        return json;
    }

    private static void postProcessor(ObjectNode json) {
        String bos = SPECIAL.get(BOS);
        json.put("type", "TemplateProcessing");
        ArrayNode single = json.putArray("single");
        ArrayNode pair = json.putArray("pair");
        for (ArrayNode template : List.of(single, pair)) {
            template.addObject().putObject("SpecialToken").put("id", bos).put("type_id", 0);
            template.addObject().putObject("Sequence").put("id", "A").put("type_id", 0);
        }
        pair.addObject().putObject("SpecialToken").put("id", bos).put("type_id", 1);
        pair.addObject().putObject("Sequence").put("id", "B").put("type_id", 1);
        ObjectNode token = json.putObject("special_tokens").putObject(bos).put("id", bos);
        token.putArray("ids").add(BOS);
        token.putArray("tokens").add(bos);
    }

    private List<Merge> merges() {
        Map<String, Integer> ids = new HashMap<>();
        for (int id = FIRST_PIECE; id < pieces.size(); id++) {
            ids.put(pieces.get(id), id);
        }
        List<Merge> merges = new ArrayList<>();
        for (int id = FIRST_PIECE; id < pieces.size(); id++) {
            String piece = pieces.get(id);
            for (int cut = 1; cut < piece.length(); cut++) {
                if (ids.containsKey(piece.substring(0, cut)) && ids.containsKey(piece.substring(cut))) {
                    merges.add(new Merge(piece.substring(0, cut), piece.substring(cut), id));
                }
            }
        }
        merges.sort(
                Comparator.comparingDouble((Merge merge) -> -scores[merge.made]).thenComparingInt(Merge::made));
        return merges;
    }
}
