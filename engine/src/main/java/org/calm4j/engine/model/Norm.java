package org.calm4j.engine.model;

import org.calm4j.engine.op.Backend;
import org.calm4j.engine.tensor.Tensor;

/** A norm over rows of the width of its weight: RMSNorm, or LayerNorm if there is a bias. */
final class Norm {
    private final Backend backend;
    private final Tensor weight;
    private final Tensor bias;
    private final double epsilon;

    private Norm(Backend backend, Parameters.Norm w, double epsilon) {
        this.backend = backend;
        this.weight = w.weight();
        this.bias = w.bias();
        this.epsilon = epsilon;
    }

    /** Null without a weight. */
    static Norm of(Backend backend, Parameters.Norm w, double epsilon) {
        return w == null ? null : new Norm(backend, w, epsilon);
    }

    /**
     * {@code x += residual}, {@code out = norm(x)}.
     *
     * @param mean set by LayerNorm alone
     * @param residual null if x is the whole input
     */
    void forward(Tensor out, Tensor mean, Tensor rstd, Tensor x, Tensor residual) {
        if (bias == null) {
            backend.rmsNormForward(rows(out), rstd, rows(x), residual, weight, epsilon);
        } else {
            backend.layerNormForward(rows(out), mean, rstd, rows(x), residual, weight, bias, epsilon);
        }
    }

    /** Adds to dX, and to the gradients of weight and bias unless these are frozen. */
    void backward(Pass pass, Tensor dX, Tensor dOut, Tensor x, Tensor mean, Tensor rstd) {
        backward(pass.d(weight), bias == null ? null : pass.d(bias), dX, dOut, x, mean, rstd);
    }

    /**
     * The same, where the gradients are at hand.
     *
     * @param dW null if weight and bias are frozen
     */
    void backward(Tensor dW, Tensor dBias, Tensor dX, Tensor dOut, Tensor x, Tensor mean, Tensor rstd) {
        if (bias == null) {
            backend.rmsNormBackward(rows(dX), dW, rows(dOut), rows(x), weight, rstd);
        } else {
            backend.layerNormBackward(rows(dX), dW, dBias, rows(dOut), rows(x), weight, mean, rstd);
        }
    }

    private Tensor rows(Tensor x) {
        return x.asRows(weight.size());
    }
}
