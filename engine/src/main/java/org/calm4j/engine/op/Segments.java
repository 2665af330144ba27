package org.calm4j.engine.op;

import java.util.Arrays;

/**
 * The forest of segments that attention runs over: which rows are queries, and which rows they attend to.
 *
 * <p>A segment has queries (rows of q) and keys (rows of k and v). Its last {@code queryLength} keys are the queries' own tokens: query j
 * sees the segment's keys up to and including {@code keyLength - queryLength + j}, and all keys of its parent, of the parent's parent and
 * so on. Parents come before their children. In training queries and keys are the same rows; in decoding keys are rows of the cache.
 */
public final class Segments {
    /** The parent of a root. */
    public static final int NONE = -1;

    private int count;
    private int[] queryStart = new int[16];
    private int[] queryLength = new int[16];
    private int[] keyStart = new int[16];
    private int[] keyLength = new int[16];
    private int[] parent = new int[16];
    private int[] depth = new int[16];

    public void clear() {
        count = 0;
    }

    /** Adds a segment and returns its index. */
    public int add(int queryStart, int queryLength, int keyStart, int keyLength, int parent) {
        if (queryLength > keyLength || parent >= count) {
            throw new IllegalArgumentException(
                    "segment of " + queryLength + " queries, " + keyLength + " keys, parent " + parent);
        }
        if (count == this.parent.length) {
            grow();
        }
        this.queryStart[count] = queryStart;
        this.queryLength[count] = queryLength;
        this.keyStart[count] = keyStart;
        this.keyLength[count] = keyLength;
        this.parent[count] = parent;
        this.depth[count] = parent == NONE ? 0 : depth[parent] + keyLength(parent);
        return count++;
    }

    private void grow() {
        int size = 2 * count;
        queryStart = Arrays.copyOf(queryStart, size);
        queryLength = Arrays.copyOf(queryLength, size);
        keyStart = Arrays.copyOf(keyStart, size);
        keyLength = Arrays.copyOf(keyLength, size);
        parent = Arrays.copyOf(parent, size);
        depth = Arrays.copyOf(depth, size);
    }

    public int count() {
        return count;
    }

    /** First row in q. */
    public int queryStart(int segment) {
        return queryStart[segment];
    }

    public int queryLength(int segment) {
        return queryLength[segment];
    }

    /** First row in k and v. */
    public int keyStart(int segment) {
        return keyStart[segment];
    }

    public int keyLength(int segment) {
        return keyLength[segment];
    }

    public int parent(int segment) {
        return parent[segment];
    }

    /** Keys of all ancestors together: the position of the segment's first key in its sequence. */
    public int depth(int segment) {
        return depth[segment];
    }

    /** The root above a segment. Two segments with different roots share no row of q, k or v. */
    public int root(int segment) {
        int root = segment;
        while (parent[root] != NONE) {
            root = parent[root];
        }
        return root;
    }
}
