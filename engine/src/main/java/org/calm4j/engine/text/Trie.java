package org.calm4j.engine.text;

import it.unimi.dsi.fastutil.longs.Long2IntOpenHashMap;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;

/** Strings to values, for finding the longest of many strings that begins at a place. */
final class Trie<V> {
    private final Long2IntOpenHashMap edges = new Long2IntOpenHashMap();
    private final List<V> values = new ArrayList<>();
    private final BitSet firstCharacters = new BitSet();

    Trie() {
        values.add(null);
    }

    /** A string that is there keeps its first value. */
    void put(String key, V value) {
        int node = 0;
        for (int i = 0; i < key.length(); i++) {
            long edge = edge(node, key.charAt(i));
            int next = edges.get(edge);
            if (next == 0) {
                next = values.size();
                values.add(null);
                edges.put(edge, next);
            }
            node = next;
        }
        firstCharacters.set(key.charAt(0));
        if (values.get(node) == null) {
            values.set(node, value);
        }
    }

    /** The length of the longest string that begins here; 0 when none does. */
    int longest(String text, int from) {
        if (!firstCharacters.get(text.charAt(from))) {
            return 0;
        }
        int longest = 0;
        int node = 0;
        for (int i = from; i < text.length(); i++) {
            node = edges.get(edge(node, text.charAt(i)));
            if (node == 0) {
                break;
            }
            if (values.get(node) != null) {
                longest = i + 1 - from;
            }
        }
        return longest;
    }

    /** The value of a string that is there. */
    V get(String text, int from, int length) {
        int node = 0;
        for (int i = from; i < from + length; i++) {
            node = edges.get(edge(node, text.charAt(i)));
        }
        return values.get(node);
    }

    private static long edge(int node, char c) {
        return (long) node << 16 | c;
    }
}
