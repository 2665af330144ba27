package org.calm4j.engine.model;

import org.calm4j.engine.tensor.Tensor;

/** Gradients of activations, by the activation's name. All layers share them. */
final class ActivationGradients extends Slots {
    /** (N), the gradient of the loss with respect to each log-probability. */
    final Tensor logProb = scored("dLogProb");
    /** (N,C). */
    final Tensor norm = scored("dNorm", c);
    /** (N,C). */
    final Tensor gathered = scored("dGathered", c);

    /** (T,C), of the residual stream. */
    final Tensor residual = scratch("dResidual", c);
    /** (T,C), of norm1 and of norm2. */
    final Tensor hidden = scratch("dHidden", c);

    /** (T,H,D). */
    final Tensor attention = scratch("dAttention", h, d);
    /** (T,H,D). */
    final Tensor q = scratch("dQ", h, d);
    /** (T,G,D). */
    final Tensor k = scratch("dK", g, d);
    /** (T,G,D). */
    final Tensor v = scratch("dV", g, d);
    /** (T,H,D), before the norm of heads; q itself without one. */
    final Tensor rawQ = headNorms ? scratch("dRawQ", h, d) : q;
    /** (T,G,D), before the norm of heads; k itself without one. */
    final Tensor rawK = headNorms ? scratch("dRawK", g, d) : k;

    /** (T,F). */
    final Tensor gate = gated ? scratch("dGate", f) : null;
    /** (T,F). */
    final Tensor up = scratch("dUp", f);
    /** (T,F). */
    final Tensor activated = scratch("dActivated", f);

    private final Tensor low = r > 0 ? scratch("dLow", r) : null;

    ActivationGradients(Layout layout) {
        super(layout, 0);
    }

    /** (T,R). */
    Tensor low(int rank) {
        return narrowed(low, rank);
    }
}
