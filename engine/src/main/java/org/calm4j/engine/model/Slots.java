package org.calm4j.engine.model;

import java.util.function.Function;
import java.util.stream.LongStream;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.config.Projection;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;

/**
 * Tensors of a pass, each declared once, as a field of a subclass: name, shape and lifetime. The memory's plan, the sharing, and the
 * views for a batch's size all come from constructing the subclass with another {@link Layout}.
 */
abstract class Slots {
    /**
     * @param type of all but indices
     * @param size of the batch at hand, or of the largest one
     * @param place gives a slot its tensor; slots that share memory pass the same name
     */
    record Layout(
            ModelConfig config,
            DType type,
            Activations.Purpose purpose,
            Activations.Capacity size,
            Function<Slot, Tensor> place) {

        /** The layer that owns the memory of a layer's slot. */
        private int owner(Slot.Lifetime lifetime, int layer) {
            return switch (lifetime) {
                case KEPT -> purpose == Activations.Purpose.INFERENCE ? 0 : layer;
                case RECOMPUTED -> purpose == Activations.Purpose.TRAINING ? layer : 0;
                case SCRATCH -> 0;
            };
        }
    }

    // Sizes by the letters of Tensor.
    final int t;
    final int n;
    final int c;
    final int h;
    final int g;
    final int d;
    final int f;
    /** The largest rank; 0 without an adapter. */
    final int r;

    /** The adapter has magnitudes (DoRA). */
    final boolean magnitudes;

    final boolean layerNorm;
    final boolean headNorms;
    final boolean gated;
    /** Queries, keys and values come from one product. */
    final boolean fusedProduct;

    final boolean rotary;

    private final Layout layout;
    private final int layer;

    /** @param layer 0 for slots outside the layers */
    Slots(Layout layout, int layer) {
        this.layout = layout;
        this.layer = layer;
        ModelConfig config = layout.config();
        t = layout.size().rows();
        n = layout.size().scored();
        c = config.hiddenSize();
        h = config.attention().heads();
        g = config.attention().keyValueHeads();
        d = config.attention().headDim();
        f = config.feedForward().size();
        r = layout.size().loraRank();
        magnitudes = layout.size().magnitudes();
        layerNorm = config.norm().kind() == ModelConfig.NormKind.LAYER_NORM;
        headNorms = config.attention().headNorms();
        gated = config.feedForward().activation() == ModelConfig.Activation.SWIGLU;
        fusedProduct = config.layout().projections().contains(Projection.QKV);
        rotary = config.positions().rope() != null;
    }

    /** (T, columns…). */
    final Tensor kept(String name, long... columns) {
        return slot(name, Slot.Lifetime.KEPT, layout.type(), t, columns);
    }

    /** (T, columns…). */
    final Tensor recomputed(String name, long... columns) {
        return slot(name, Slot.Lifetime.RECOMPUTED, layout.type(), t, columns);
    }

    /** (T, columns…). */
    final Tensor scratch(String name, long... columns) {
        return slot(name, Slot.Lifetime.SCRATCH, layout.type(), t, columns);
    }

    /** (N, columns…), scratch. */
    final Tensor scored(String name, long... columns) {
        return slot(name, Slot.Lifetime.SCRATCH, layout.type(), n, columns);
    }

    /** (rows, columns), scratch. */
    final Tensor table(String name, long rows, long columns) {
        return slot(name, Slot.Lifetime.SCRATCH, layout.type(), rows, columns);
    }

    /** (rows) I32, scratch. */
    final Tensor indices(String name, long rows) {
        return slot(name, Slot.Lifetime.SCRATCH, DType.I32, rows);
    }

    private Tensor slot(String name, Slot.Lifetime lifetime, DType type, long rows, long... columns) {
        long[] shape =
                LongStream.concat(LongStream.of(rows), LongStream.of(columns)).toArray();
        return layout.place().apply(new Slot(name + "." + layout.owner(lifetime, layer), lifetime, type, shape));
    }

    /** The beginning of a slot's memory as (T,width). */
    final Tensor narrowed(Tensor slot, long width) {
        return new Tensor(slot.name(), slot.buffer(), slot.offset(), slot.type(), t, width);
    }
}
