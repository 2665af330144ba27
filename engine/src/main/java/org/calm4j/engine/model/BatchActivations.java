package org.calm4j.engine.model;

import org.calm4j.engine.op.TokenStatistic;
import org.calm4j.engine.tensor.Tensor;

/** What a pass reads of its batch, and what it computes outside the layers. */
final class BatchActivations extends Slots {
    /** (T) I32. */
    final Tensor tokens = indices("tokens", t);
    /** (T) I32. */
    final Tensor positions = indices("positions", t);
    /** (T) I32, the cache rows of new keys and values in decoding. */
    final Tensor cacheRows = indices("cacheRows", t);
    /** (N) I32, the rows that are scored. */
    final Tensor scoredRows = indices("scoredRows", n);
    /** (N) I32. */
    final Tensor targets = indices("targets", n);

    /** (P,R/2), of the rotary angles. */
    final Tensor cosine;
    /** (P,R/2). */
    final Tensor sine;

    /** (T,3·C), queries, keys and values of one product, or their gradients. */
    final Tensor fused = fusedProduct ? scratch("fused", (h + 2L * g) * d) : null;
    /** (T) I32, the rows of fused, seen as (3·T,C), that are queries. */
    final Tensor fusedQ = fusedProduct ? indices("fusedQ", t) : null;
    /** (T) I32. */
    final Tensor fusedK = fusedProduct ? indices("fusedK", t) : null;
    /** (T) I32. */
    final Tensor fusedV = fusedProduct ? indices("fusedV", t) : null;

    /** (T,C), what the last layer's feed-forward part adds to the residual stream. */
    final Tensor output = scratch("output", c);
    /** (N,C), the scored rows of the residual stream after the last layer. */
    final Tensor gathered = scored("gathered", c);
    /** (N,C). */
    final Tensor norm = scored("norm", c);
    /** (N). */
    final Tensor mean = layerNorm ? scored("mean") : null;
    /** (N). */
    final Tensor rstd = scored("rstd");
    /** (N). */
    final Tensor logProb = scored("logProb");
    /** (N). */
    final Tensor logProbLse = scored("logProbLse");
    /** (N,{@link TokenStatistic#COUNT}); null in inference. */
    final Tensor statistics;
    /** (rows of the capacity, V), of decoding. */
    final Tensor logits;

    /** (T,I), a projection's input with dropout. */
    private final Tensor dropped = r > 0 ? scratch("dropped", Math.max(Math.max(c, f), h * d)) : null;

    /** (T,O), a projection's output before its factors (DoRA). */
    private final Tensor unscaled = magnitudes ? scratch("unscaled", Math.max(Math.max(c, f), (h + 2L * g) * d)) : null;

    BatchActivations(Layout layout) {
        super(layout, 0);
        Activations.Capacity size = layout.size();
        logits = table("logits", size.logits(), layout.config().vocabulary().size());
        statistics =
                layout.purpose() == Activations.Purpose.INFERENCE ? null : scored("statistics", TokenStatistic.COUNT);
        int pairs = rotary ? layout.config().positions().rope().frequencies().length : 0;
        cosine = rotary ? table("cosine", size.positions(), pairs) : null;
        sine = rotary ? table("sine", size.positions(), pairs) : null;
    }

    /** (T,width), a projection's output before its factors. */
    Tensor unscaled(long width) {
        return narrowed(unscaled, width);
    }

    /** (T,width), a projection's input with dropout. */
    Tensor dropped(long width) {
        return narrowed(dropped, width);
    }
}
