package org.calm4j.kernels;

import it.unimi.dsi.fastutil.ints.IntArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import jcuda.CudaException;
import org.calm4j.engine.op.Segments;

/**
 * Steps of decoding, and passes of training over batches of the same shape, as graphs: what one launches is recorded the third time that it
 * has the same sizes, and from then on started as a whole, which spares the host hundreds of launches. What differs from time to time lies in
 * the device's memory and is written before.
 */
final class Replay implements AutoCloseable {
    /** Runs before one is recorded: the first one takes scratch memory, and many sizes never come again. */
    private static final int DIRECT = 2;
    private static final int MOST = 16;

    /** What launches take from the segments in a step of decoding: their grids, and where their lists lie. */
    private record Decoding(Object key, int singles, long splits) {
    }

    /** The same for other segments: their lists depend on each of them. */
    private record Pass(Object key, List<Integer> segments) {
    }

    private static final class Recorded {
        private int runs;
        private int tile;
        private CudaGraph graph;
    }

    private final Gpu gpu;
    private final Attention attention;
    private final Map<Record, Recorded> recorded = new HashMap<>();
    private long generation;

    Replay(Gpu gpu, Attention attention) {
        this.gpu = gpu;
        this.attention = attention;
    }

    void run(Object key, Segments segments, Runnable work) {
        if (gpu.debug()) {
            work.run();
            return;
        }
        Record shape = shape(key, segments);
        Recorded of = recorded.get(shape);
        if (of != null) {
            attention.forest().lay(segments, of.tile);
        }
        if (generation != gpu.generation() || of == null && recorded.size() == MOST) {
            // Addresses in the graphs may be those of memory that was given back.
            close();
            generation = gpu.generation();
            of = null;
        }
        if (of == null) {
            of = new Recorded();
            recorded.put(shape, of);
        }
        if (of.graph == null && ++of.runs <= DIRECT) {
            work.run();
            of.tile = attention.forest().tile();
            return;
        }
        try {
            if (of.graph == null) {
                of.graph = new CudaGraph(gpu, work);
            }
            of.graph.launch();
        } catch (CudaException e) {
            throw gpu.fault("recorded launches", e);
        }
    }

    private static Record shape(Object key, Segments segments) {
        if (Forest.isDecoding(segments) && isOverACache(segments)) {
            return new Decoding(key, Forest.singles(segments), Attention.splits(Forest.longest(segments)));
        }
        return new Pass(key, IntArrayList.wrap(Forest.table(segments)));
    }

    /** Whether there are keys of other rows than the queries': a backward pass has none. */
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
        recorded.values().forEach(of -> {
            if (of.graph != null) {
                of.graph.close();
            }
        });
        recorded.clear();
    }
}
