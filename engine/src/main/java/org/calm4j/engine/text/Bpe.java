package org.calm4j.engine.text;

import com.fasterxml.jackson.databind.JsonNode;
import it.unimi.dsi.fastutil.ints.Int2IntOpenHashMap;
import it.unimi.dsi.fastutil.ints.IntArrayList;
import it.unimi.dsi.fastutil.longs.Long2LongOpenHashMap;
import it.unimi.dsi.fastutil.longs.LongHeapPriorityQueue;
import it.unimi.dsi.fastutil.objects.Object2IntOpenHashMap;
import java.nio.charset.StandardCharsets;

/** Byte-pair encoding (Sennrich et al. 2016): the merge of lowest rank first, the leftmost among equals; O(n log n) by a heap. */
final class Bpe implements Vocabulary {
    private static final int LONGEST_AFFIX = 16;

    private final Object2IntOpenHashMap<String> ids;
    /** Character to id. */
    private final Int2IntOpenHashMap characters = new Int2IntOpenHashMap();
    /** The id of each byte's token, such as {@code <0x0A>}; null without byte fallback. */
    private final int[] bytes;
    /** Pair of ids to (rank, id of the merged token), each two packed into a long. */
    private final Long2LongOpenHashMap merges;

    private final int unknown;
    private final boolean fuseUnknown;
    private final boolean ignoreMerges;
    /** The prefix of a symbol that does not begin the word, and the suffix of one that ends it. */
    private final String prefix;

    private final String suffix;

    private Bpe(Part model, Object2IntOpenHashMap<String> ids, int unknown) {
        this.ids = ids;
        this.unknown = unknown;
        fuseUnknown = model.flag("fuse_unk", false);
        ignoreMerges = model.flag("ignore_merges", false);
        prefix = affix(model, "continuing_subword_prefix");
        suffix = affix(model, "end_of_word_suffix");
        merges = readMerges(model.get("merges"));
        characters.defaultReturnValue(NONE);
        ids.object2IntEntrySet().fastForEach(entry -> {
            String token = entry.getKey();
            if (!token.isEmpty() && token.length() == Character.charCount(token.codePointAt(0))) {
                characters.put(token.codePointAt(0), entry.getIntValue());
            }
        });
        bytes = model.flag("byte_fallback", false) ? new int[256] : null;
        for (int b = 0; bytes != null && b < 256; b++) {
            bytes[b] = ids.getInt(String.format("<0x%02X>", b));
        }
    }

    /** An affix is added to every character. */
    private static String affix(Part model, String name) {
        String affix = model.string(name, "");
        if (affix.length() > LONGEST_AFFIX) {
            throw model.get(name).error("has " + affix.length() + " characters; supported: up to " + LONGEST_AFFIX);
        }
        return affix;
    }

    static Bpe of(Part model, Object2IntOpenHashMap<String> ids, String unknown) {
        Part dropout = model.get("dropout");
        if (dropout.present() && !(dropout.json().isNumber() && dropout.json().doubleValue() == 0)) {
            throw dropout.error("is " + dropout.json()
                    + ", which is not supported: the same text would give other tokens each time");
        }
        if (unknown != null && ids.getInt(unknown) == NONE) {
            throw model.get("unk_token").error("\"" + unknown + "\" is not in the vocabulary");
        }
        return new Bpe(model, ids, unknown == null ? NONE : ids.getInt(unknown));
    }

    private Long2LongOpenHashMap readMerges(Part part) {
        if (part.present() && !part.json().isArray()) {
            throw part.error("is not a list");
        }
        Long2LongOpenHashMap read = new Long2LongOpenHashMap(part.json().size());
        read.defaultReturnValue(NONE);
        int rank = 0;
        for (JsonNode merge : part.json()) {
            String left = left(merge);
            String right = right(merge);
            boolean known = left != null
                    && right != null
                    && ids.getInt(left) != NONE
                    && ids.getInt(right) != NONE
                    && right.length() >= prefix.length();
            int merged = known ? ids.getInt(left + right.substring(prefix.length())) : NONE;
            if (merged == NONE) {
                throw part.error(
                        "has " + merge + ", which is not a pair of tokens of the vocabulary that make up a third");
            }
            // Of a repeated pair the last one counts, as in the original.
            read.put(pack(ids.getInt(left), ids.getInt(right)), pack(rank++, merged));
        }
        return read;
    }

    private static String left(JsonNode merge) {
        if (merge.isArray()) {
            return merge.size() == 2 ? merge.get(0).textValue() : null;
        }
        return merge.isTextual() && merge.textValue().indexOf(' ') >= 0
                ? merge.textValue().substring(0, merge.textValue().indexOf(' '))
                : null;
    }

    private static String right(JsonNode merge) {
        return merge.isArray()
                ? merge.path(1).textValue()
                : merge.asText().substring(merge.asText().indexOf(' ') + 1);
    }

    private static long pack(int high, int low) {
        return (long) high << 32 | low;
    }

    @Override
    public Object2IntOpenHashMap<String> ids() {
        return ids;
    }

    @Override
    public void encode(String word, IntArrayList to) {
        if (ignoreMerges && ids.getInt(word) != NONE) {
            to.add(ids.getInt(word));
            return;
        }
        merge(symbols(word).toIntArray(), to);
    }

    /** A symbol for each character; without one, its bytes' symbols, else the unknown token, else nothing. */
    private IntArrayList symbols(String word) {
        IntArrayList symbols = new IntArrayList(word.length());
        int pending = NONE;
        for (int at = 0; at < word.length(); ) {
            int codePoint = word.codePointAt(at);
            int end = at + Character.charCount(codePoint);
            boolean plain = (at == 0 || prefix.isEmpty()) && (end < word.length() || suffix.isEmpty());
            String decorated = plain
                    ? null
                    : (at == 0 ? "" : prefix) + Character.toString(codePoint) + (end < word.length() ? "" : suffix);
            int id = plain ? characters.get(codePoint) : ids.getInt(decorated);
            at = end;
            if (id != NONE) {
                if (pending != NONE) {
                    symbols.add(pending);
                    pending = NONE;
                }
                symbols.add(id);
            } else if (!addBytes(plain ? Character.toString(codePoint) : decorated, symbols)) {
                if (pending != NONE && !fuseUnknown) {
                    symbols.add(pending);
                }
                pending = unknown;
            }
        }
        if (pending != NONE) {
            symbols.add(pending);
        }
        return symbols;
    }

    private boolean addBytes(String symbol, IntArrayList to) {
        if (bytes == null) {
            return false;
        }
        byte[] utf8 = symbol.getBytes(StandardCharsets.UTF_8);
        for (byte b : utf8) {
            if (bytes[b & 0xff] == NONE) {
                return false;
            }
        }
        for (byte b : utf8) {
            to.add(bytes[b & 0xff]);
        }
        return true;
    }

    /** Symbols are a linked list by position; a heap entry is (rank, position) and stale once its pair is gone. */
    private void merge(int[] symbol, IntArrayList to) {
        int n = symbol.length;
        int[] next = new int[n];
        int[] previous = new int[n];
        LongHeapPriorityQueue queue = new LongHeapPriorityQueue(n + 1);
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
