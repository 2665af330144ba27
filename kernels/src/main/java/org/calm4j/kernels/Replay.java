package org.calm4j.kernels;

import it.unimi.dsi.fastutil.ints.IntArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import jcuda.CudaException;
import org.calm4j.engine.op.Segments;
import org.calm4j.kernels.driver.CudaGraph;
import org.calm4j.kernels.driver.Gpu;

/**
 * Steps of decoding, and passes of training over batches of the same shape, as graphs: their launches are recorded the third time that the shape
 * occurs, and then started as a whole, which saves the host hundreds of launches. What varies is in
 * the device's memory and is written first.
 */
final class Replay implements AutoCloseable {
    /** Runs before a recording: the first one allocates scratch memory, and many sizes never recur. */
    private static final int DIRECT_RUNS = 2;

    private static final int MOST_RECORDINGS = 16;
    /** Steps of decoding with more than a few rows have a multiple of this many: otherwise each sequence that ends gives another shape. */
    private static final int MULTIPLE = 8;

    /** What launches take from the segments in a step of decoding: their grids, and the places of their lists. */
    private record Decoding(Object key, int singles, long splits) {}

    /** The same for other segments: their lists depend on each of them. */
    private record Pass(Object key, List<Integer> segments) {}

    private static final class Recorded {
        private int runs;
        private int tile;
        private CudaGraph graph;

        void close() {
            if (graph != null) {
                graph.close();
            }
        }
    }

    private final Gpu gpu;
    private final Attention attention;
    /** The least recently used one first. */
    private final SequencedMap<Record, Recorded> recorded = new LinkedHashMap<>(2 * MOST_RECORDINGS, 0.75f, true);

    private long generation;

    Replay(Gpu gpu, Attention attention) {
        this.gpu = gpu;
        this.attention = attention;
    }

    /** Rows of a step of decoding for this many sequences: 1, 2, 4, or a multiple of 8. */
    static int rows(int sequences) {
        return sequences > MULTIPLE / 2
                ? (sequences + MULTIPLE - 1) / MULTIPLE * MULTIPLE
                : sequences == 3 ? MULTIPLE / 2 : sequences;
    }

    void run(Object key, Segments segments, Runnable work) {
        if (gpu.device().debug()) {
            work.run();
            return;
        }
        Record shape = shape(key, segments);
        Recorded of = recorded.get(shape);
        if (of != null) {
            attention.forest().lay(segments, of.tile);
        }
        if (generation != gpu.memory().generation()) {
            // Addresses in the graphs may be those of freed memory.
            close();
            generation = gpu.memory().generation();
            of = null;
        }
        if (of == null) {
            if (recorded.size() == MOST_RECORDINGS) {
                recorded.pollFirstEntry().getValue().close();
            }
            of = new Recorded();
            recorded.put(shape, of);
        }
        if (of.graph == null && ++of.runs <= DIRECT_RUNS) {
            work.run();
            of.tile = attention.forest().tile();
            return;
        }
        try {
            if (of.graph == null) {
                of.graph = new CudaGraph(gpu.device(), work);
            }
            of.graph.launch();
        } catch (CudaException e) {
            throw gpu.device().fault("recorded launches", e);
        }
    }

    private static Record shape(Object key, Segments segments) {
        if (Forest.isDecoding(segments) && isOverACache(segments)) {
            return new Decoding(key, Forest.singles(segments), Attention.splits(Forest.longest(segments)));
        }
        return new Pass(key, IntArrayList.wrap(Forest.table(segments)));
    }

    /** Whether there are keys of other rows than the queries'; a backward pass has none. */
    private static boolean isOverACache(Segments segments) {
        for (int s = 0; s < segments.count(); s++) {
            if (segments.keyLength(s) > segments.queryLength(s)) {
                return true;
            }
        }
        return false;
    }

    @Override
    public void close() {
        recorded.values().forEach(Recorded::close);
        recorded.clear();
    }
}
