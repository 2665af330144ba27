package org.calm4j.kernels;

import java.util.HashMap;
import java.util.Map;
import jcuda.CudaException;
import org.calm4j.engine.op.Segments;

/**
 * Steps of decoding as graphs: what a step launches is recorded the third time that it has the same sizes, and from then on started as a
 * whole, which spares the host hundreds of launches a token. What differs from step to step lies in the device's memory and is written
 * before.
 */
final class Replay implements AutoCloseable {
    /** Runs before one is recorded: the first one takes scratch memory, and many sizes never come again. */
    private static final int DIRECT = 2;
    private static final int MOST = 16;

    /** The sizes that launches take from the segments. */
    private record Shape(Object key, int segments, int singles, long splits) {
    }

    private static final class Recorded {
        private int runs;
        private CudaGraph graph;
    }

    private final Gpu gpu;
    private final Attention attention;
    private final Map<Object, Integer> tiles = new HashMap<>();
    private final Map<Shape, Recorded> recorded = new HashMap<>();
    private long generation;

    Replay(Gpu gpu, Attention attention) {
        this.gpu = gpu;
        this.attention = attention;
    }

    void run(Object key, Segments segments, Runnable work) {
        if (gpu.debug() || !isDecoding(segments)) {
            work.run();
            return;
        }
        Integer tile = tiles.get(key);
        if (tile == null) {
            work.run();
            tiles.put(key, attention.forest().tile());
            return;
        }
        Forest forest = attention.forest();
        forest.lay(segments, tile);
        if (generation != gpu.generation() || recorded.size() > MOST) {
            // Addresses in the graphs may be those of memory that was given back.
            close();
            tiles.put(key, tile);
            generation = gpu.generation();
        }
        Recorded of = recorded.computeIfAbsent(new Shape(key, forest.segments(), forest.singles(), attention.splits()), shape ->
                new Recorded());
        if (of.graph == null && ++of.runs <= DIRECT) {
            work.run();
            return;
        }
        try {
            if (of.graph == null) {
                of.graph = new CudaGraph(gpu, work);
            }
            of.graph.launch();
        } catch (CudaException e) {
            throw gpu.fault("a recorded step of decoding", e);
        }
    }

    private static boolean isDecoding(Segments segments) {
        for (int s = 0; s < segments.count(); s++) {
            if (segments.queryLength(s) > 1) {
                return false;
            }
        }
        return true;
    }

    @Override
    public void close() {
        recorded.values().forEach(of -> {
            if (of.graph != null) {
                of.graph.close();
            }
        });
        recorded.clear();
        tiles.clear();
    }
}
