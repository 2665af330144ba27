package org.calm4j.kernels;

import org.calm4j.engine.tensor.Tensor;

/** {@code x·wᵀ} and its gradients by {@link MatrixProduct}. */
final class Linear {
    private final MatrixProduct product;

    Linear(MatrixProduct product) {
        this.product = product;
    }

    void forward(Tensor out, Tensor x, Tensor w, double alpha, boolean add) {
        product.timesTransposed(out, x, w, alpha, add ? 1 : 0);
    }

    void backwardInput(Tensor dX, Tensor dOut, Tensor w, double alpha, boolean add) {
        product.times(dX, dOut, w, alpha, add ? 1 : 0);
    }

    void backwardWeight(Tensor dW, Tensor dOut, Tensor x, double alpha, boolean add) {
        product.transposedTimes(dW, dOut, x, alpha, add ? 1 : 0);
    }
}
