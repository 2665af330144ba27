package org.calm4j.engine.inspect;

import java.util.ArrayList;
import java.util.List;
import org.calm4j.engine.tensor.Tensor;

/** The residual stream of a text at each layer: 0 before the first block, l after block l − 1; until it is closed. */
public final class Streams implements AutoCloseable {
    private final Trace trace;
    private final List<Tensor> streams = new ArrayList<>();

    private Streams(Trace trace, int layers) {
        this.trace = trace;
        streams.add(trace.value("blocks.0.hook_resid_pre"));
        for (int layer = 0; layer < layers; layer++) {
            streams.add(trace.value("blocks." + layer + ".hook_resid_post"));
        }
    }

    public static Streams of(Inspector inspector, int[] tokens) {
        Selection selection = Selection.of(inspector.config(), "blocks.0.hook_resid_pre", "blocks.*.hook_resid_post");
        return new Streams(inspector.run(tokens, selection), inspector.config().layers());
    }

    /** Layers and one more. */
    public int count() {
        return streams.size();
    }

    /** (T,C) in host memory. */
    public Tensor get(int layer) {
        return streams.get(layer);
    }

    @Override
    public void close() {
        trace.close();
    }
}
