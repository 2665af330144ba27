package org.calm4j.engine.text;

import it.unimi.dsi.fastutil.chars.CharArrayList;
import it.unimi.dsi.fastutil.ints.IntArrayList;
import it.unimi.dsi.fastutil.longs.Long2IntOpenHashMap;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;

/**
 * Strings to values, for finding the longest of many strings that begins at each place of a text, in time that grows with the text alone:
 * an automaton (Aho and Corasick 1975) over the reversed strings, so that a match ending at a position is a string beginning there.
 */
final class Trie<V> {
    private final Long2IntOpenHashMap edges = new Long2IntOpenHashMap();
    /** By node; {@code length} is that of the longest string whose reversal ends in the node, 0 without one, and {@code value} its value. */
    private final List<V> value = new ArrayList<>();

    private final IntArrayList length = new IntArrayList();
    private final IntArrayList parent = new IntArrayList();
    private final IntArrayList depth = new IntArrayList();
    private final CharArrayList character = new CharArrayList();
    /** The node of the longest proper suffix of a node's string; null while strings are being added. */
    private int[] shorter;

    private final BitSet lastCharacters = new BitSet();

    Trie() {
        add(0, '\0', 0);
    }

    private int add(int from, char c, int deep) {
        value.add(null);
        length.add(0);
        parent.add(from);
        character.add(c);
        depth.add(deep);
        return value.size() - 1;
    }

    /** A repeated string keeps its first value; after a search nothing may be added. */
    void put(String key, V mapped) {
        int node = 0;
        for (int i = key.length() - 1; i >= 0; i--) {
            long edge = edge(node, key.charAt(i));
            int next = edges.get(edge);
            if (next == 0) {
                next = add(node, key.charAt(i), key.length() - i);
                edges.put(edge, next);
            }
            node = next;
        }
        lastCharacters.set(key.charAt(key.length() - 1));
        if (value.get(node) == null) {
            value.set(node, mapped);
            length.set(node, key.length());
        }
    }

    /** Marks that all strings are added. */
    Trie<V> whole() {
        int[] order = byDepth();
        shorter = new int[value.size()];
        for (int node : order) {
            if (depth.getInt(node) > 1) {
                shorter[node] = next(shorter[parent.getInt(node)], character.getChar(node));
            }
            if (value.get(node) == null) {
                value.set(node, value.get(shorter[node]));
                length.set(node, length.getInt(shorter[node]));
            }
        }
        return this;
    }

    private int[] byDepth() {
        int deepest = 0;
        for (int d : depth) {
            deepest = Math.max(deepest, d);
        }
        int[] begin = new int[deepest + 2];
        for (int d : depth) {
            begin[d + 1]++;
        }
        Arrays.parallelPrefix(begin, Integer::sum);
        int[] order = new int[depth.size()];
        for (int node = 0; node < order.length; node++) {
            order[begin[depth.getInt(node)]++] = node;
        }
        return order;
    }

    private int next(int from, char c) {
        int node = from;
        int next = edges.get(edge(node, c));
        while (next == 0 && node != 0) {
            node = shorter[node];
            next = edges.get(edge(node, c));
        }
        return next;
    }

    /** The matches: the longest string that begins at each position where one does, by position. */
    final class Found {
        // From the end of the text to its beginning.
        private final IntArrayList places = new IntArrayList();
        private final IntArrayList nodes = new IntArrayList();
        private int at;

        /** Moves to the next position that is not before this one; returns -1 if there is none. */
        int next(int from) {
            while (at > 0 && places.getInt(at - 1) < from) {
                at--;
            }
            return at == 0 ? -1 : places.getInt(at - 1);
        }

        /** For the string at the position that {@link #next} returned. */
        int length() {
            return length.getInt(nodes.getInt(at - 1));
        }

        V value() {
            return value.get(nodes.getInt(at - 1));
        }
    }

    Found find(String text) {
        Found found = new Found();
        int node = 0;
        for (int i = text.length() - 1; i >= 0; i--) {
            char c = text.charAt(i);
            if (node == 0 && !lastCharacters.get(c)) {
                continue;
            }
            node = next(node, c);
            if (length.getInt(node) > 0) {
                found.places.add(i);
                found.nodes.add(node);
            }
        }
        found.at = found.places.size();
        return found;
    }

    private static long edge(int node, char c) {
        return (long) node << 16 | c;
    }
}
