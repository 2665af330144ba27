package org.calm4j.engine.model;

import java.util.Arrays;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Slab;
import org.calm4j.engine.tensor.Tensor;

/**
 * The trained norms m of an adapted weight's rows (DoRA, Liu et al. 2024, equation 5): {@code w′ = m / ‖v‖ · v},
 * {@code v = w + scale · B·A}, norms by row. No gradient passes through ‖v‖ (their equation 11), as in PEFT.
 */
public final class Magnitude {
    private static final int CHUNK = 1 << 16;

    private final Backend backend;
    /** (O), m. */
    private final Tensor value;
    /** (O), m / ‖v‖. */
    private final Tensor factor;
    /** (O), m / ‖v‖ − 1. */
    private final Tensor factorLess1;
    /** (O), 1 / ‖v‖. */
    private final Tensor inverseNorm;
    /** (O), of the sums over tokens that a backward pass makes. */
    private final Tensor sums;
    /** (R,O), A·wᵀ. */
    private final Tensor product;
    /** (R,R), A·Aᵀ. */
    private final Tensor gram;

    /** Squared norms of the weight's rows. */
    private double[] squares;

    private Magnitude(Backend backend, Tensor value, Slab slab, int rank) {
        this.backend = backend;
        this.value = value;
        factor = slab.get(value.name() + ".factor");
        factorLess1 = slab.get(value.name() + ".factorLess1");
        inverseNorm = slab.get(value.name() + ".inverseNorm");
        sums = view(slab.get("sums"), value.size());
        product = view(slab.get("product"), rank, value.size());
        gram = view(slab.get("gram"), rank, rank);
    }

    private static Tensor view(Tensor of, long... shape) {
        return new Tensor(of.name(), of.buffer(), of.offset(), of.type(), shape);
    }

    /** The memory of what follows from magnitudes. */
    static Slab.Plan plan(Iterable<Tensor> values, DType type, int rank) {
        Slab.Plan plan = new Slab.Plan();
        long widest = 1;
        for (Tensor value : values) {
            for (String part : new String[] {".factor", ".factorLess1", ".inverseNorm"}) {
                plan.add(value.name() + part, type, value.size());
            }
            widest = Math.max(widest, value.size());
        }
        return plan.add("sums", type, widest)
                .add("product", type, rank * widest)
                .add("gram", type, (long) rank * rank);
    }

    /** @param slab planned by {@link #plan} */
    static Magnitude of(Backend backend, Tensor value, Slab slab, int rank) {
        return new Magnitude(backend, value, slab, rank);
    }

    Tensor value() {
        return value;
    }

    /** (O): what the rows of v are multiplied by. */
    public Tensor factor() {
        return factor;
    }

    Tensor factorLess1() {
        return factorLess1;
    }

    /**
     * Adds {@code Σₜ dOut[t] ⊙ unscaled[t] / ‖v‖} to the gradient of m, or sets it to that.
     *
     * @param unscaled (T,O): the layer's output before it is multiplied by the factor
     */
    void backward(Tensor dValue, Tensor dOut, Tensor unscaled, boolean add) {
        backend.zero(sums);
        backend.scaleBackward(sums, dOut, unscaled);
        long size = value.size();
        backend.scaleForward(dValue.view(1, size), sums.view(1, size), inverseNorm, add);
    }

    /** @param transposed whether the weight is (I,O) */
    void beside(Tensor weight, boolean transposed) {
        squares = squares(weight, transposed);
    }

    private double[] squares(Tensor weight, boolean transposed) {
        double[] squares = new double[(int) value.size()];
        long width = weight.rowSize();
        Tensor row = weight.view(weight.size());
        double[] values = new double[(int) Math.min(CHUNK, weight.size())];
        for (long first = 0; first < weight.size(); first += values.length) {
            int count = (int) Math.min(values.length, weight.size() - first);
            backend.read(values, row.rows(first, count), count);
            for (int i = 0; i < count; i++) {
                long at = first + i;
                squares[(int) (transposed ? at % width : at / width)] += values[i] * values[i];
            }
        }
        return squares;
    }

    /** Sets m to the norms of v. */
    void start(Lora.Adapter adapter, Tensor weight, boolean transposed) {
        double[] norms = norms(adapter, weight, transposed);
        backend.write(value, norms, norms.length);
    }

    /** Sets what follows from m, A and B; to be called whenever one of them has changed. */
    void refresh(Lora.Adapter adapter, Tensor weight, boolean transposed) {
        double[] norms = norms(adapter, weight, transposed);
        double[] m = new double[norms.length];
        backend.read(m, value, m.length);
        double[] factors = new double[m.length];
        Arrays.setAll(factors, i -> m[i] / norms[i]);
        backend.write(factor, factors, m.length);
        Arrays.setAll(factors, i -> factors[i] - 1);
        backend.write(factorLess1, factors, m.length);
        Arrays.setAll(factors, i -> 1 / norms[i]);
        backend.write(inverseNorm, factors, m.length);
    }

    /** {@code ‖v‖² = ‖w‖² + 2 scale B·(A·wᵀ) + scale² B·(A·Aᵀ)·Bᵀ} by row, without a copy of w. */
    private double[] norms(Lora.Adapter adapter, Tensor weight, boolean transposed) {
        if (transposed) {
            backend.linearBackwardInput(product, adapter.a(), weight, 1, false);
        } else {
            backend.linearForward(product, adapter.a(), weight, 1, false);
        }
        backend.linearForward(gram, adapter.a(), adapter.a(), 1, false);
        int rank = adapter.rank();
        int rows = squares.length;
        double[] p = read(product);
        double[] g = read(gram);
        double[] b = read(adapter.b());
        double[] norms = new double[rows];
        Arrays.parallelSetAll(norms, n -> {
            double cross = 0;
            double square = 0;
            for (int r = 0; r < rank; r++) {
                double br = b[n * rank + r];
                cross += br * p[r * rows + n];
                for (int s = 0; s < rank; s++) {
                    square += br * g[r * rank + s] * b[n * rank + s];
                }
            }
            double scale = adapter.scale();
            return Math.sqrt(Math.max(0, squares[n] + 2 * scale * cross + scale * scale * square));
        });
        return norms;
    }

    private double[] read(Tensor tensor) {
        double[] values = new double[Math.toIntExact(tensor.size())];
        backend.read(values, tensor, values.length);
        return values;
    }

    /**
     * Multiplies the rows of v by the factor, or divides them by it.
     *
     * @param v (O,I), or (I,O) where transposed; becomes w′
     */
    void scaleRows(Tensor v, boolean transposed, boolean divides) {
        double[] factors = read(factor);
        long width = v.rowSize();
        Tensor row = v.view(v.size());
        double[] values = new double[(int) Math.min(CHUNK, v.size())];
        for (long first = 0; first < v.size(); first += values.length) {
            int count = (int) Math.min(values.length, v.size() - first);
            Tensor part = row.rows(first, count);
            backend.read(values, part, count);
            for (int i = 0; i < count; i++) {
                double by = factors[(int) (transposed ? (first + i) % width : (first + i) / width)];
                values[i] = divides ? values[i] / by : values[i] * by;
            }
            backend.write(part, values, count);
        }
    }
}
