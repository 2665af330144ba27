package org.calm4j.engine.train.optim;

import org.calm4j.engine.op.Backend;
import org.calm4j.engine.tensor.Buffer;
import org.calm4j.engine.tensor.Tensor;

/**
 * Makes matrices nearly orthogonal, {@code U·S·Vᵀ → U·S'·Vᵀ}, by five Newton–Schulz steps (Jordan et al. 2024; Bernstein &amp; Newhouse 2024,
 * arXiv 2409.20325): from {@code X = G / ‖G‖} on {@code X = a·X + b·(XXᵀ)X + c·(XXᵀ)²X}. The coefficients are chosen to be steep at 0, not to
 * converge: a singular value of at least 0.01 · ‖G‖ comes to lie between 0.68 and 1.14, smaller ones grow up to 485-fold.
 */
final class NewtonSchulz implements AutoCloseable {
    private static final double A = 3.4445;
    private static final double B = -4.7750;
    private static final double C = 2.0315;
    /** Odd, so that the result lies where the matrix was. */
    private static final int STEPS = 5;
    /** The least norm that a matrix is divided by, as in PyTorch. */
    private static final double LEAST_NORM = 1e-7;

    private final Backend backend;
    private final Buffer memory;
    private final long most;

    /**
     * @param most elements of a matrix
     * @param side the most rows or columns of a matrix, whichever are fewer
     */
    NewtonSchulz(Backend backend, long most, long side) {
        this.backend = backend;
        this.most = most;
        memory = backend.allocate(elements(most, side) * backend.computeType().bytes());
    }

    /** How many elements it takes. */
    static long elements(long most, long side) {
        return most + 2 * side * side;
    }

    /**
     * @param x (R,C), of the compute type, changed in place
     * @param factor of the result
     */
    void apply(Tensor x, double factor) {
        Tensor from = of(0, x.dim(0), x.dim(1));
        Tensor to = x;
        double norm = Math.sqrt(backend.sumOfSquares(x));
        backend.zero(from);
        backend.combine(from, 0, x, 1 / Math.max(norm, LEAST_NORM));
        for (int step = 0; step < STEPS; step++) {
            step(to, from, step == STEPS - 1 ? factor : 1);
            Tensor last = to;
            to = from;
            from = last;
        }
    }

    /** The smaller of XXᵀ and XᵀX is taken. */
    private void step(Tensor to, Tensor x, double factor) {
        boolean wide = x.dim(0) <= x.dim(1);
        long side = wide ? x.dim(0) : x.dim(1);
        Tensor square = of(most, side, side);
        Tensor polynomial = of(most + side * side, side, side);
        if (wide) {
            backend.linearForward(square, x, x, 1, false);
        } else {
            backend.linearBackwardWeight(square, x, x, 1, false);
        }
        backend.linearBackwardInput(polynomial, square, square, C, false);
        backend.combine(polynomial, 1, square, B);
        if (wide) {
            backend.linearBackwardInput(to, polynomial, x, factor, false);
        } else {
            backend.linearBackwardInput(to, x, polynomial, factor, false);
        }
        backend.combine(to, 1, x, factor * A);
    }

    private Tensor of(long first, long rows, long columns) {
        int size = backend.computeType().bytes();
        return new Tensor("Newton-Schulz", memory, first * size, backend.computeType(), rows, columns);
    }

    @Override
    public void close() {
        memory.close();
    }
}
