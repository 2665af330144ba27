package org.calm4j.engine.text;

import com.fasterxml.jackson.databind.JsonNode;
import it.unimi.dsi.fastutil.ints.IntArrayList;
import it.unimi.dsi.fastutil.longs.Long2LongOpenHashMap;
import it.unimi.dsi.fastutil.longs.LongHeapPriorityQueue;
import it.unimi.dsi.fastutil.objects.Object2IntOpenHashMap;
import java.util.Map;
import org.calm4j.engine.CalmException;

/** The model of a tokenizer.json: takes a word apart into the ids of its vocabulary. */
sealed interface Vocabulary {
    int NONE = -1;

    /** Token to id, without the added tokens. */
    Object2IntOpenHashMap<String> ids();

    /** Appends the ids of a word. */
    void encode(String word, IntArrayList to);

    /** @throws CalmException bad input: a kind or an option that is not supported, by name */
    static Vocabulary of(JsonNode json, Object where) {
        String type = json.path("type").asText(json.has("merges") ? "BPE" : "");
        Object2IntOpenHashMap<String> ids = new Object2IntOpenHashMap<>();
        ids.defaultReturnValue(NONE);
        for (Map.Entry<String, JsonNode> entry : json.path("vocab").properties()) {
            if (!entry.getValue().isInt() || entry.getValue().asInt() < 0) {
                throw CalmException.badInput(where, "vocab: \"" + entry.getKey() + "\" has the id " + entry.getValue());
            }
            ids.put(entry.getKey(), entry.getValue().asInt());
        }
        if (ids.isEmpty()) {
            throw CalmException.badInput(where, "model.vocab is missing");
        }
        int unknown = json.path("unk_token").isTextual() ? ids.getInt(json.path("unk_token").asText()) : NONE;
        return switch (type) {
            case "WordLevel" -> new WordLevel(ids, unknown);
            case "BPE" -> Bpe.of(json, ids, where);
            default -> throw CalmException.badInput(where, "model.type \"" + type + "\" is not supported; supported: BPE, WordLevel");
        };
    }

    /** One token a word. */
    record WordLevel(Object2IntOpenHashMap<String> ids, int unknown) implements Vocabulary {
        @Override
        public void encode(String word, IntArrayList to) {
            int id = ids.getInt(word);
            if (id == NONE && unknown == NONE) {
                throw CalmException.badInput("tokenizer", "\"" + word + "\" is not in the vocabulary, which has no unk_token");
            }
            to.add(id == NONE ? unknown : id);
        }
    }

    /**
     * Byte-pair encoding (Sennrich et al. 2016): the merge of lowest rank first, the leftmost of equal ones; O(n log n) by a heap.
     *
     * @param merges pair of ids to (rank, id of the merged token), each two packed into a long
     */
    record Bpe(Object2IntOpenHashMap<String> ids, Long2LongOpenHashMap merges, boolean ignoreMerges) implements Vocabulary {
        static Bpe of(JsonNode json, Object2IntOpenHashMap<String> ids, Object where) {
            for (String name : new String[] {"byte_fallback", "fuse_unk"}) {
                if (json.path(name).asBoolean(false)) {
                    throw CalmException.badInput(where, "model." + name + " is true, which is not supported");
                }
            }
            for (String name : new String[] {"dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix"}) {
                if (!json.path(name).asText("null").equals("null") && !json.path(name).asText().isEmpty()) {
                    throw CalmException.badInput(where, "model." + name + " is " + json.path(name) + ", which is not supported");
                }
            }
            Long2LongOpenHashMap merges = new Long2LongOpenHashMap();
            merges.defaultReturnValue(NONE);
            int rank = 0;
            for (JsonNode merge : json.path("merges")) {
                String left = merge.isArray() ? merge.path(0).asText() : merge.asText().substring(0, Math.max(0, merge.asText().indexOf(' ')));
                String right = merge.isArray() ? merge.path(1).asText() : merge.asText().substring(merge.asText().indexOf(' ') + 1);
                int merged = ids.getInt(left + right);
                if (ids.getInt(left) == NONE || ids.getInt(right) == NONE || merged == NONE) {
                    throw CalmException.badInput(where, "model.merges: " + merge + " names a token that is not in the vocabulary");
                }
                merges.putIfAbsent(pack(ids.getInt(left), ids.getInt(right)), pack(rank++, merged));
            }
            return new Bpe(ids, merges, json.path("ignore_merges").asBoolean(false));
        }

        private static long pack(int high, int low) {
            return (long) high << 32 | low;
        }

        @Override
        public void encode(String word, IntArrayList to) {
            if (ignoreMerges && ids.getInt(word) != NONE) {
                to.add(ids.getInt(word));
                return;
            }
            int n = word.length();
            int[] symbol = new int[n];
            for (int i = 0; i < n; i++) {
                symbol[i] = ids.getInt(word.substring(i, i + 1));
                if (symbol[i] == NONE) {
                    throw CalmException.badInput("tokenizer", "the vocabulary has no token for \"" + word.charAt(i) + "\"");
                }
            }
            merge(symbol, to);
        }

        /** Symbols are a linked list by position; a heap entry is (rank, position) and stale once its pair is gone. */
        private void merge(int[] symbol, IntArrayList to) {
            int n = symbol.length;
            int[] next = new int[n];
            int[] previous = new int[n];
            LongHeapPriorityQueue queue = new LongHeapPriorityQueue();
            for (int i = 0; i < n; i++) {
                next[i] = i + 1;
                previous[i] = i - 1;
                offer(queue, symbol, i, i + 1);
            }
            while (!queue.isEmpty()) {
                long entry = queue.dequeueLong();
                int left = (int) entry;
                int right = symbol[left] == NONE ? n : next[left];
                long merge = right < n ? merges.get(pack(symbol[left], symbol[right])) : NONE;
                if (merge == NONE || merge >>> 32 != entry >>> 32) {
                    continue;
                }
                symbol[left] = (int) merge;
                symbol[right] = NONE;
                next[left] = next[right];
                if (next[right] < n) {
                    previous[next[right]] = left;
                    offer(queue, symbol, left, next[left]);
                }
                if (previous[left] >= 0) {
                    offer(queue, symbol, previous[left], left);
                }
            }
            for (int i = 0; i < n; i = next[i]) {
                to.add(symbol[i]);
            }
        }

        private void offer(LongHeapPriorityQueue queue, int[] symbol, int left, int right) {
            if (right < symbol.length) {
                long merge = merges.get(pack(symbol[left], symbol[right]));
                if (merge != NONE) {
                    queue.enqueue(merge >>> 32 << 32 | left);
                }
            }
        }
    }
}
