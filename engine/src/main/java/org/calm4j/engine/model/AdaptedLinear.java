package org.calm4j.engine.model;

import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.config.Projection;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.random.CounterRandom;
import org.calm4j.engine.tensor.Tensor;

/**
 * A linear layer with its adapter, if it has one (Hu et al. 2021): {@code out = x·wᵀ + bias + scale · low·Bᵀ},
 * {@code low = dropout(x)·Aᵀ}. With magnitudes (Liu et al. 2024) the columns of all but the bias are multiplied by a factor; what dropout
 * zeroes is zero for both products of the adapter's part, {@code out = x·wᵀ + bias + (factor − 1) ⊙ dropout(x)·wᵀ + factor ⊙ scale · low·Bᵀ}.
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
        }
        boolean scaled = adapter != null && adapter.magnitude() != null;
        if (out != null && bias != null && !scaled) {
            backend.biasForward(matrix(out), bias);
        }
        if (adapter != null) {
            adapterForward(pass, out == null ? null : matrix(out), matrix(x));
        }
        if (out != null && bias != null && scaled) {
            backend.biasForward(matrix(out), bias);
        }
    }

    private void adapterForward(Pass pass, Tensor out, Tensor x) {
        Tensor low = low(pass);
        Tensor dropped = dropped(pass, x);
        backend.linearForward(low, dropped, adapter.a(), 1, false);
        if (out == null) {
            return;
        }
        if (adapter.start() != null) {
            startForward(pass, out, x);
        }
        Magnitude magnitude = adapter.magnitude();
        if (magnitude != null && drops(pass)) {
            Tensor part = pass.batch().unscaled(out.rowSize());
            multiply(part, dropped);
            backend.scaleForward(out, part, magnitude.factorLess1(), true);
            backend.linearForward(part, low, adapter.b(), adapter.scale(), false);
            backend.scaleForward(out, part, magnitude.factor(), true);
            return;
        }
        backend.linearForward(out, low, adapter.b(), adapter.scale(), true);
        if (magnitude != null) {
            backend.scaleForward(out, out, magnitude.factor(), false);
        }
    }

    /**
     * {@code dX = dOut·w + dropout(scale · dOut·B·A)}; the gradients of weight, bias, A and B where they are not frozen.
     *
     * @param add to dX; otherwise it is set
     */
    void backward(Pass pass, Tensor dX, Tensor dOut, Tensor x, boolean add) {
        if (pass.d(bias) != null) {
            backend.biasBackward(pass.d(bias), matrix(dOut));
        }
        if (adapter != null && adapter.magnitude() != null) {
            scaledBackward(pass, matrix(dX), matrix(dOut), matrix(x), add);
            return;
        }
        multiplyBackward(pass, matrix(dX), matrix(dOut), matrix(x), add);
        if (adapter != null) {
            if (adapter.start() != null) {
                startBackward(pass, matrix(dX), matrix(dOut));
            }
            adapterBackward(pass, matrix(dX), matrix(dOut), matrix(x));
        }
    }

    /** With magnitudes, whose gradient needs the output before they were applied: it is computed again. */
    private void scaledBackward(Pass pass, Tensor dX, Tensor dOut, Tensor x, boolean add) {
        Magnitude magnitude = adapter.magnitude();
        Tensor part = pass.batch().unscaled(dOut.rowSize());
        if (pass.d(magnitude.value()) != null) {
            multiply(part, dropped(pass, x));
            backend.linearForward(part, low(pass), adapter.b(), adapter.scale(), true);
            magnitude.backward(pass.d(magnitude.value()), dOut, part, pass.add());
        }
        if (!drops(pass)) {
            // out = factor ⊙ (x·wᵀ + scale · low·Bᵀ)
            backend.scaleForward(part, dOut, magnitude.factor(), false);
            multiplyBackward(pass, dX, part, x, add);
            adapterBackward(pass, dX, part, x);
            return;
        }
        // out = x·wᵀ + (factor − 1) ⊙ dropped·wᵀ + factor ⊙ scale · low·Bᵀ
        multiplyBackward(pass, dX, dOut, x, add);
        backend.scaleForward(part, dOut, magnitude.factorLess1(), false);
        Tensor dDropped = pass.batch().dropped(x.rowSize());
        multiplyBackward(pass, dDropped, part, x, false);
        backend.dropout(dX, dDropped, dropout, seed(pass), true);
        backend.scaleForward(part, dOut, magnitude.factor(), false);
        adapterBackward(pass, dX, part, x);
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

    /** {@code out −= scale · (x·A₀ᵀ)·B₀ᵀ}: a part of the weight, which dropout does not touch. */
    private void startForward(Pass pass, Tensor out, Tensor x) {
        Tensor low = pass.batch().dropped(adapter.rank());
        backend.linearForward(low, x, adapter.start().a(), 1, false);
        backend.linearForward(out, low, adapter.start().b(), -adapter.scale(), true);
    }

    private void startBackward(Pass pass, Tensor dX, Tensor dOut) {
        Tensor dLow = pass.d().low(adapter.rank());
        backend.linearBackwardInput(dLow, dOut, adapter.start().b(), -adapter.scale(), false);
        backend.linearBackwardInput(dX, dLow, adapter.start().a(), 1, true);
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
