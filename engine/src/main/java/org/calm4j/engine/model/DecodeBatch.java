package org.calm4j.engine.model;

import it.unimi.dsi.fastutil.ints.IntArrayList;
import org.calm4j.engine.op.Segments;

/**
 * New tokens of many sequences whose earlier keys and values are in a {@link KvCache}: whole prompts, or one step of decoding, or more of one
 * text.
 */
public final class DecodeBatch {
    private final IntArrayList tokens = new IntArrayList();
    private final IntArrayList positions = new IntArrayList();
    private final IntArrayList cacheRows = new IntArrayList();
    private final IntArrayList scoredRows = new IntArrayList();
    private final Segments segments = new Segments();
    private boolean prompts;

    public void clear() {
        tokens.clear();
        positions.clear();
        cacheRows.clear();
        scoredRows.clear();
        segments.clear();
        prompts = false;
    }

    /** A prompt whose tokens are all in the cache, for use as a parent; returns its last segment. */
    public int cached(CachePages.Rows rows, int length) {
        return segments(rows, length, 0, Segments.NONE);
    }

    /** A new token: the last of {@code length} tokens of a sequence, with its rows of the cache. Its row is scored. */
    public void token(int token, CachePages.Rows rows, int length, int parent) {
        int segment = segments(rows, length, 1, parent);
        scoredRows.add(tokens.size());
        add(token, segments.depth(segment) + segments.keyLength(segment) - 1, rows.row(length - 1));
    }

    /**
     * Fills a step of decoding up to this many rows, with tokens of no sequence that see only themselves.
     *
     * @param spare the first of the cache's rows for them
     */
    public void pad(int rows, int spare) {
        for (int row = spare; tokens.size() < rows; row++) {
            segments.add(tokens.size(), 1, row, 1, Segments.NONE);
            scoredRows.add(tokens.size());
            add(0, 0, row);
        }
    }

    /** A segment for each run of rows, each the parent of the next; the last one, which is returned, has the queries. */
    private int segments(CachePages.Rows rows, int length, int queries, int parent) {
        int segment = parent;
        for (int run = 0, from = 0; from < length; run++) {
            int end = Math.min(length, rows.end(run));
            segment = segments.add(tokens.size(), end == length ? queries : 0, rows.start(run), end - from, segment);
            from = end;
        }
        return segment;
    }

    /** A whole prompt, in a batch of nothing else; its last token is scored. */
    public void prompt(int[] prompt, CachePages.Rows rows) {
        prompts = true;
        segments.add(tokens.size(), prompt.length, tokens.size(), prompt.length, Segments.NONE);
        for (int i = 0; i < prompt.length; i++) {
            add(prompt[i], i, rows.row(i));
        }
        scoredRows.add(tokens.size() - 1);
    }

    /** More tokens of the one sequence that has the cache's first {@code length} rows; the last one is scored. */
    public void append(int[] more, int length) {
        segments.add(tokens.size(), more.length, 0, length + more.length, Segments.NONE);
        for (int i = 0; i < more.length; i++) {
            add(more[i], length + i, length + i);
        }
        scoredRows.add(tokens.size() - 1);
    }

    private void add(int token, int position, int cacheRow) {
        tokens.add(token);
        positions.add(position);
        cacheRows.add(cacheRow);
    }

    /** T. */
    public int rows() {
        return tokens.size();
    }

    /** N, the scored rows. */
    public int scored() {
        return scoredRows.size();
    }

    /** Whether the keys and values of its segments are the batch's own rows, not the cache's. */
    boolean prompts() {
        return prompts;
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

    int[] scoredRows() {
        return scoredRows.elements();
    }
}
