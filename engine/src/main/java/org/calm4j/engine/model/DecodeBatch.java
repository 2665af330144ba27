package org.calm4j.engine.model;

import it.unimi.dsi.fastutil.ints.IntArrayList;
import org.calm4j.engine.op.Segments;

/** New tokens of many sequences whose earlier keys and values lie in a {@link KvCache}: a prefill, or one step of decoding. */
public final class DecodeBatch {
    private final IntArrayList tokens = new IntArrayList();
    private final IntArrayList positions = new IntArrayList();
    private final IntArrayList cacheRows = new IntArrayList();
    private final IntArrayList markedRows = new IntArrayList();
    private final Segments segments = new Segments();

    public void clear() {
        tokens.clear();
        positions.clear();
        cacheRows.clear();
        markedRows.clear();
        segments.clear();
    }

    /** A prompt whose tokens are all in the cache already, to be named as parent; returns its segment. */
    public int cached(int cacheStart, int length) {
        return segments.add(tokens.size(), 0, cacheStart, length, Segments.NONE);
    }

    /** A new token: the last of {@code length} tokens that a sequence has from {@code cacheStart} on. Its logits are wanted. */
    public void token(int token, int cacheStart, int length, int parent) {
        int segment = segments.add(tokens.size(), 1, cacheStart, length, parent);
        markedRows.add(tokens.size());
        append(token, segments.depth(segment) + length - 1, cacheStart + length - 1);
    }

    /** A whole prompt; the logits of its last token are wanted. */
    public void prompt(int[] prompt, int cacheStart) {
        segments.add(tokens.size(), prompt.length, cacheStart, prompt.length, Segments.NONE);
        for (int i = 0; i < prompt.length; i++) {
            append(prompt[i], i, cacheStart + i);
        }
        markedRows.add(tokens.size() - 1);
    }

    /** More tokens of the one sequence that has the cache's first {@code length} rows; the logits of the last one are wanted. */
    public void behind(int[] more, int length) {
        segments.add(tokens.size(), more.length, 0, length + more.length, Segments.NONE);
        for (int i = 0; i < more.length; i++) {
            append(more[i], length + i, length + i);
        }
        markedRows.add(tokens.size() - 1);
    }

    private void append(int token, int position, int cacheRow) {
        tokens.add(token);
        positions.add(position);
        cacheRows.add(cacheRow);
    }

    /** T. */
    public int rows() {
        return tokens.size();
    }

    /** Rows whose logits are wanted. */
    public int marked() {
        return markedRows.size();
    }

    Segments segments() {
        return segments;
    }

    int[] tokens() {
        return tokens.elements();
    }

    int[] positions() {
        return positions.elements();
    }

    int[] cacheRows() {
        return cacheRows.elements();
    }

    int[] markedRows() {
        return markedRows.elements();
    }
}
