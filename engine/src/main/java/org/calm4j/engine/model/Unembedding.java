package org.calm4j.engine.model;

import org.calm4j.engine.op.Backend;
import org.calm4j.engine.tensor.Tensor;

/** What a model's last norm and head make of a residual stream, be it another layer's: the logit lens, forward and backward. */
public final class Unembedding {
    private final Backend backend;
    private final Norm norm;
    private final Tensor head;

    public Unembedding(CausalLm model) {
        backend = model.backend();
        norm = Norm.of(backend, model.parameters().norm(), model.config().norm().epsilon());
        head = model.parameters().head();
    }

    /**
     * Logits, for {@link Activations#readLogits}.
     *
     * @param activations with a capacity for T rows of logits
     * @param stream (T,C)
     */
    public void forward(Activations activations, Tensor stream) {
        int rows = (int) stream.dim(0);
        activations.fit(rows, rows);
        BatchActivations a = activations.batch();
        backend.copy(a.gathered, stream);
        norm.forward(a.norm, a.mean, a.rstd, a.gathered, null);
        backend.linearForward(a.logits, a.norm, head, 1, false);
    }

    /**
     * The gradient with respect to the stream, after {@link #forward}; norm and head are frozen.
     *
     * @param dStream (T,C), set
     * @param dNorm (T,C), room that is overwritten
     * @param dLogits (T,V)
     */
    public void backward(Activations activations, Tensor dStream, Tensor dNorm, Tensor dLogits) {
        BatchActivations a = activations.batch();
        backend.linearBackwardInput(dNorm, dLogits, head, 1, false);
        backend.zero(dStream);
        norm.backward(null, null, dStream, dNorm, a.gathered, a.mean, a.rstd);
    }
}
