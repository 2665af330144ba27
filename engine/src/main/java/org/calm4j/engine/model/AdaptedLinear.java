package org.calm4j.engine.model;

import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.config.Projection;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.random.CounterRandom;
import org.calm4j.engine.tensor.Tensor;

/**
 * A linear layer with its adapter, if it has one (Hu et al. 2021): {@code out = x·wᵀ + bias + scale · low·Bᵀ},
 * {@code low = dropout(x)·Aᵀ}.
 */
final class AdaptedLinear {
    private final Backend backend;
    private final int layer;
    private final Projection projection;
    private final Tensor weight;
    private final Tensor bias;
    /** The weight is (I,O). */
    private final boolean transposed;

    private final Lora.Adapter adapter;
    private final double dropout;

    /** @param lora null without an adapter */
    AdaptedLinear(ModelConfig config, Parameters parameters, Lora lora, int layer, Projection projection) {
        this.backend = parameters.backend();
        this.layer = layer;
        this.projection = projection;
        Parameters.Linear w = parameters.layer(layer).linears().get(projection);
        weight = w.weight();
        bias = w.bias();
        transposed = config.layout().transposed();
        adapter = lora == null ? null : lora.adapter(layer, projection);
        dropout = lora == null ? 0 : lora.dropout();
    }

    /**
     * Sets out, and the adapter's low.
     *
     * @param out (T,O); null if only what the backward pass reads is needed
     * @param x (T,I)
     */
    void forward(Pass pass, Tensor out, Tensor x) {
        if (out != null) {
            multiply(matrix(out), matrix(x));
            if (bias != null) {
                backend.biasForward(matrix(out), bias);
            }
        }
        if (adapter != null) {
            Tensor low = low(pass);
            backend.linearForward(low, dropped(pass, matrix(x)), adapter.a(), 1, false);
            if (out != null) {
                backend.linearForward(matrix(out), low, adapter.b(), adapter.scale(), true);
            }
        }
    }

    /**
     * {@code dX = dOut·w + dropout(scale · dOut·B·A)}; the gradients of weight, bias, A and B where they are not frozen.
     *
     * @param add to dX; otherwise it is set
     */
    void backward(Pass pass, Tensor dX, Tensor dOut, Tensor x, boolean add) {
        multiplyBackward(pass, matrix(dX), matrix(dOut), matrix(x), add);
        if (pass.d(bias) != null) {
            backend.biasBackward(pass.d(bias), matrix(dOut));
        }
        if (adapter != null) {
            adapterBackward(pass, matrix(dX), matrix(dOut), matrix(x));
        }
    }

    /** {@code out = x·wᵀ}; for a weight (I,O) that equals the gradient of a product with a weight (O,I). */
    private void multiply(Tensor out, Tensor x) {
        if (transposed) {
            backend.linearBackwardInput(out, x, weight, 1, false);
        } else {
            backend.linearForward(out, x, weight, 1, false);
        }
    }

    private void multiplyBackward(Pass pass, Tensor dX, Tensor dOut, Tensor x, boolean add) {
        if (transposed) {
            backend.linearForward(dX, dOut, weight, 1, add);
        } else {
            backend.linearBackwardInput(dX, dOut, weight, 1, add);
        }
        if (pass.d(weight) != null) {
            backend.linearBackwardWeight(pass.d(weight), transposed ? x : dOut, transposed ? dOut : x, 1, pass.add());
        }
    }

    private void adapterBackward(Pass pass, Tensor dX, Tensor dOut, Tensor x) {
        Tensor low = low(pass);
        Tensor dLow = pass.d().low(adapter.rank());
        // out += scale · low·Bᵀ
        backend.linearBackwardInput(dLow, dOut, adapter.b(), adapter.scale(), false);
        if (pass.d(adapter.b()) != null) {
            backend.linearBackwardWeight(pass.d(adapter.b()), dOut, low, adapter.scale(), pass.add());
            // low = dropout(x)·Aᵀ
            backend.linearBackwardWeight(pass.d(adapter.a()), dLow, dropped(pass, x), 1, pass.add());
        }
        if (drops(pass)) {
            Tensor dDropped = pass.batch().dropped(x.rowSize());
            backend.linearBackwardInput(dDropped, dLow, adapter.a(), 1, false);
            backend.dropout(dX, dDropped, dropout, seed(pass), true);
        } else {
            backend.linearBackwardInput(dX, dLow, adapter.a(), 1, true);
        }
    }

    private Tensor dropped(Pass pass, Tensor x) {
        if (!drops(pass)) {
            return x;
        }
        Tensor dropped = pass.batch().dropped(x.rowSize());
        backend.dropout(dropped, x, dropout, seed(pass), false);
        return dropped;
    }

    private boolean drops(Pass pass) {
        return pass.dropoutSeed() != null && dropout > 0;
    }

    private long seed(Pass pass) {
        return CounterRandom.seed(pass.dropoutSeed(), projection.number(layer));
    }

    private Tensor low(Pass pass) {
        return pass.layer(layer).low(projection, adapter.rank());
    }

    /** (T,H,D) as (T,H·D). */
    private static Tensor matrix(Tensor x) {
        return x.asRows(x.rowSize());
    }
}
