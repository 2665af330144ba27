package org.calm4j.engine.text;

import com.fasterxml.jackson.databind.JsonNode;
import it.unimi.dsi.fastutil.ints.IntArrayList;
import it.unimi.dsi.fastutil.objects.Object2IntOpenHashMap;
import java.util.Map;
import org.calm4j.engine.CalmException;

/** The model of a tokenizer.json: takes a word apart into the ids of its vocabulary. */
sealed interface Vocabulary permits Bpe, Vocabulary.WordLevel {
    int NONE = -1;
    /** The most characters of one id. */
    int LONGEST_TOKEN = 10_000;

    /** Token to id, without the added tokens. */
    Object2IntOpenHashMap<String> ids();

    /** Appends the ids of a word. */
    void encode(String word, IntArrayList to);

    /** @throws CalmException bad input: a kind or an option that is not supported, by name */
    static Vocabulary of(Part model) {
        String type = model.string("type", model.get("merges").present() ? "BPE" : "WordLevel");
        if (!type.equals("BPE") && !type.equals("WordLevel")) {
            throw model.unsupported("BPE, WordLevel");
        }
        Part vocab = model.get("vocab");
        Object2IntOpenHashMap<String> ids =
                new Object2IntOpenHashMap<>(Math.max(16, vocab.json().size()));
        ids.defaultReturnValue(NONE);
        for (Map.Entry<String, JsonNode> entry : vocab.json().properties()) {
            if (!entry.getValue().isInt() || entry.getValue().intValue() < 0) {
                throw vocab.error("gives \"" + entry.getKey() + "\" the id " + entry.getValue());
            }
            if (entry.getKey().length() > LONGEST_TOKEN) {
                throw vocab.error(
                        "has a token of " + entry.getKey().length() + " characters; supported: up to " + LONGEST_TOKEN);
            }
            ids.put(entry.getKey(), entry.getValue().intValue());
        }
        if (ids.isEmpty()) {
            throw vocab.error("is missing");
        }
        String unknown = model.string("unk_token", null);
        return type.equals("BPE")
                ? Bpe.of(model, ids, unknown)
                : new WordLevel(ids, unknown == null ? NONE : ids.getInt(unknown));
    }

    /** One token per word. */
    record WordLevel(Object2IntOpenHashMap<String> ids, int unknown) implements Vocabulary {
        @Override
        public void encode(String word, IntArrayList to) {
            int id = ids.getInt(word);
            if (id == NONE && unknown == NONE) {
                throw CalmException.badInput(
                        "tokenizer", "\"" + word + "\" is not in the vocabulary, which has no unk_token");
            }
            to.add(id == NONE ? unknown : id);
        }
    }
}
