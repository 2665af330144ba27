package org.calm4j.kernels;

import it.unimi.dsi.fastutil.ints.IntArrayList;
import java.util.Arrays;
import org.calm4j.engine.op.Segments;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;
import org.calm4j.kernels.driver.CudaBuffer;
import org.calm4j.kernels.driver.Gpu;

/**
 * The segments of attention as the kernels read them ({@code forest.cuh}): one array on the device with the segments that have queries, the
 * table of segments, the tiles of queries, the tiles of keys, and for each segment the segments that see its keys. It is sent again only when
 * the segments have changed, which is once for all the layers of a pass.
 */
final class Forest implements AutoCloseable {
    /** In place of a tile: no tiles, since no segment has more than one query, and no gradients of keys are needed. */
    static final int NO_TILES = 0;

    private final Gpu gpu;
    private int[] sent;
    private int tile;
    private CudaBuffer buffer;
    private int queryTileStart;
    private int queryTiles;
    private int keyTileStart;
    private int keyTiles;
    private int viewerStart;
    private int tableStart;
    private int singles;
    private int longest;
    private int firstKey;
    private int endKey;

    Forest(Gpu gpu) {
        this.gpu = gpu;
    }

    /** @param tile queries, and keys, of a block, or {@link #NO_TILES} */
    void lay(Segments segments, int tile) {
        int[] table = table(segments);
        // Without tiles the same lists are at the same places: nothing is sent again, as nothing may be while
        // launches are recorded.
        if ((this.tile == tile || tile == NO_TILES) && Arrays.equals(table, sent)) {
            return;
        }
        // If this fails half-way, no segments are set.
        sent = null;
        // First the segments with queries: their place and the table's depend on their number alone, so that recorded
        // launches find them
        // again when sequences have grown into more segments.
        IntArrayList all = new IntArrayList();
        longest = longest(segments);
        firstKey = Integer.MAX_VALUE;
        endKey = 0;
        for (int s = 0; s < segments.count(); s++) {
            firstKey = Math.min(firstKey, segments.keyStart(s));
            endKey = Math.max(endKey, segments.keyStart(s) + segments.keyLength(s));
            if (segments.queryLength(s) > 0) {
                all.add(s);
            }
        }
        singles = all.size();
        tableStart = all.size();
        all.addElements(all.size(), table);
        if (tile != NO_TILES) {
            tiles(all, segments, tile);
        }
        send(all);
        sent = table;
        this.tile = tile;
    }

    private void tiles(IntArrayList all, Segments segments, int tile) {
        queryTileStart = all.size();
        for (int s = 0; s < segments.count(); s++) {
            tiles(all, s, segments.queryLength(s), tile);
        }
        queryTiles = (all.size() - queryTileStart) / 2;
        keyTileStart = all.size();
        for (int s = 0; s < segments.count(); s++) {
            tiles(all, s, segments.keyLength(s), tile);
        }
        keyTiles = (all.size() - keyTileStart) / 2;
        viewers(all, segments);
    }

    /** Segments that have queries. */
    static int singles(Segments segments) {
        int singles = 0;
        for (int s = 0; s < segments.count(); s++) {
            singles += segments.queryLength(s) > 0 ? 1 : 0;
        }
        return singles;
    }

    /** Positions of the longest sequence. */
    static int longest(Segments segments) {
        int longest = 0;
        for (int s = 0; s < segments.count(); s++) {
            longest = Math.max(longest, segments.depth(s) + segments.keyLength(s));
        }
        return longest;
    }

    /** Whether no segment has more than one query. */
    static boolean isDecoding(Segments segments) {
        for (int s = 0; s < segments.count(); s++) {
            if (segments.queryLength(s) > 1) {
                return false;
            }
        }
        return true;
    }

    /** Six numbers per segment. */
    static int[] table(Segments segments) {
        int[] table = new int[6 * segments.count()];
        for (int s = 0; s < segments.count(); s++) {
            int at = 6 * s;
            table[at] = segments.queryStart(s);
            table[at + 1] = segments.queryLength(s);
            table[at + 2] = segments.keyStart(s);
            table[at + 3] = segments.keyLength(s);
            table[at + 4] = segments.parent(s);
            table[at + 5] = segments.depth(s);
        }
        return table;
    }

    private static void tiles(IntArrayList to, int segment, int length, int tile) {
        for (int first = 0; first < length; first += tile) {
            to.add(segment);
            to.add(first);
        }
    }

    /** Starts of the lists, counted from the first list, then the lists: the segments with queries below each segment, itself included. */
    private void viewers(IntArrayList to, Segments segments) {
        IntArrayList[] lists = new IntArrayList[segments.count()];
        for (int s = 0; s < lists.length; s++) {
            lists[s] = new IntArrayList();
            for (int above = s; above != Segments.NONE && segments.queryLength(s) > 0; above = segments.parent(above)) {
                lists[above].add(s);
            }
        }
        viewerStart = to.size();
        int at = 0;
        for (IntArrayList list : lists) {
            to.add(at);
            at += list.size();
        }
        to.add(at);
        for (IntArrayList list : lists) {
            to.addAll(list);
        }
    }

    private void send(IntArrayList all) {
        long bytes = (long) Integer.BYTES * all.size();
        if (buffer == null || buffer.bytes() < bytes) {
            close();
            // Caches grow from step to step, and each move invalidates recordings.
            buffer = gpu.memory().allocate(2 * bytes, "segments");
        }
        gpu.transfer().upload(buffer.pointer(), all.elements(), all.size());
    }

    /** Queries, and keys, of a block when the segments were last set. */
    int tile() {
        return tile;
    }

    /** Positions of the longest sequence. */
    int longest() {
        return longest;
    }

    /** The first row of keys of any segment. */
    int firstKey() {
        return firstKey;
    }

    /** Rows from the first key of any segment to the last. */
    int keyRows() {
        return endKey - firstKey;
    }

    int queryTiles() {
        return queryTiles;
    }

    int keyTiles() {
        return keyTiles;
    }

    /** Segments that have queries. */
    int singles() {
        return singles;
    }

    Tensor table() {
        return from(tableStart);
    }

    Tensor queryTileList() {
        return from(queryTileStart);
    }

    Tensor keyTileList() {
        return from(keyTileStart);
    }

    Tensor singleList() {
        return from(0);
    }

    Tensor viewerStarts() {
        return from(viewerStart);
    }

    Tensor viewers() {
        return from(viewerStart + sent.length / 6 + 1);
    }

    private Tensor from(int first) {
        return new Tensor("segments", buffer, (long) Integer.BYTES * first, DType.I32, 0);
    }

    @Override
    public void close() {
        if (buffer != null) {
            buffer.close();
            buffer = null;
        }
    }
}
