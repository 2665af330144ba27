package org.calm4j.engine.model;

import java.util.HashMap;
import java.util.Map;
import org.calm4j.engine.config.Projection;
import org.calm4j.engine.tensor.Tensor;

/** The activations of a layer's forward pass that its backward pass reads. */
final class LayerActivations extends Slots {
    /** (T,C), the incoming residual stream; until this layer's first norm, the previous layer's addition to it. */
    final Tensor input = kept("input", c);

    /** (T,C). */
    final Tensor norm1 = recomputed("norm1", c);
    /** (T). */
    final Tensor mean1 = layerNorm ? recomputed("mean1") : null;
    /** (T). */
    final Tensor rstd1 = recomputed("rstd1");

    /** (T,H,D), normed and rotated. */
    final Tensor q = recomputed("q", h, d);
    /** (T,G,D), normed and rotated. */
    final Tensor k = recomputed("k", g, d);
    /** (T,G,D). */
    final Tensor v = recomputed("v", g, d);
    /** (T,H,D), before the norm of heads; q itself without one. */
    final Tensor rawQ = headNorms ? recomputed("rawQ", h, d) : q;
    /** (T,G,D), before the norm of heads; k itself without one. */
    final Tensor rawK = headNorms ? recomputed("rawK", g, d) : k;
    /** (T,H). */
    final Tensor rstdQ = headNorms ? recomputed("rstdQ", h) : null;
    /** (T,G). */
    final Tensor rstdK = headNorms ? recomputed("rstdK", g) : null;

    /** (T,H,D). */
    final Tensor attention = recomputed("attention", h, d);
    /** (T,H). */
    final Tensor lse = recomputed("lse", h);
    /** (T,C), the residual stream after attention; until the second norm, attention's addition to it. */
    final Tensor middle = recomputed("middle", c);

    /** (T,C). */
    final Tensor norm2 = recomputed("norm2", c);
    /** (T). */
    final Tensor mean2 = layerNorm ? recomputed("mean2") : null;
    /** (T). */
    final Tensor rstd2 = recomputed("rstd2");

    /** (T,F). */
    final Tensor gate = gated ? recomputed("gate", f) : null;
    /** (T,F). */
    final Tensor up = recomputed("up", f);
    /** (T,F). */
    final Tensor activated = recomputed("activated", f);

    private final Map<Projection, Tensor> low = new HashMap<>();

    LayerActivations(Layout layout, int layer) {
        super(layout, layer);
        if (r > 0) {
            layout.config().layout().projections().forEach(p -> low.put(p, recomputed("low." + p, r)));
        }
    }

    /** (T,R), x·Aᵀ of a projection's adapter. */
    Tensor low(Projection projection, int rank) {
        return narrowed(low.get(projection), rank);
    }
}
