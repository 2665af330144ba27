package org.calm4j.engine.model;

import com.fasterxml.jackson.databind.node.DoubleNode;
import com.fasterxml.jackson.databind.node.IntNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Map;
import org.apache.commons.math3.linear.MatrixUtils;
import org.apache.commons.math3.linear.RealMatrix;
import org.apache.commons.math3.linear.SingularValueDecomposition;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.random.CounterRandom;
import org.calm4j.engine.tensor.Buffer;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.HostBuffer;
import org.calm4j.engine.tensor.Slab;
import org.calm4j.engine.tensor.Tensor;

/**
 * A and B of a weight's largest singular values (PiSSA, Meng et al. 2024, equations 2 and 3): {@code scale · B·A = U·S·Vᵀ},
 * {@code A = √(S/scale)·Vᵀ}, {@code B = U·√(S/scale)}. Training begins at the weight itself, from which their product is subtracted: where PEFT
 * changes the weight, the layer here subtracts {@code scale · (x·A₀ᵀ)·B₀ᵀ}, so that weights stay as they are stored.
 *
 * <p>The singular vectors are found by subspace iteration (Halko et al. 2011, algorithm 4.4), of which PEFT's {@code pissa_niter_16} does as
 * many; with matrices no wider than the subspace they are exact.
 */
final class Pissa {
    private static final int ITERATIONS = 16;
    private static final int OVERSAMPLING = 10;

    /**
     * What an adapter began with.
     *
     * @param a (R,I)
     * @param b (O,R)
     */
    record Start(Tensor a, Tensor b) {}

    private final Backend backend;
    private final Tensor weight;
    private final boolean transposed;
    private final int inputs;
    private final int outputs;

    /** @param transposed whether the weight is (I,O) */
    Pissa(Backend backend, Tensor weight, boolean transposed) {
        this.backend = backend;
        this.weight = weight;
        this.transposed = transposed;
        inputs = (int) weight.dim(transposed ? 0 : 1);
        outputs = (int) weight.dim(transposed ? 1 : 0);
    }

    /** @param shapes of adapters, by the names of A and B */
    static Slab.Plan plan(Map<String, long[]> shapes, DType type) {
        Slab.Plan plan = new Slab.Plan();
        shapes.forEach((name, shape) -> {
            if (shape.length == 2) {
                plan.add(name, type, shape);
            }
        });
        return plan;
    }

    /** Sets A, B and the start to the same. */
    void start(Lora.Adapter adapter) {
        int rank = adapter.rank();
        int width = Math.min(rank + OVERSAMPLING, Math.min(inputs, outputs));
        if (rank > width) {
            throw CalmException.usage(
                    Setting.of("lora_rank"),
                    " is " + rank + ", and the matrix " + weight.name() + " has no more than " + width
                            + " singular values, with which pissa begins");
        }
        double[] q = new double[width * outputs];
        long seed = CounterRandom.seed(0, weight.name());
        for (int i = 0; i < q.length; i++) {
            q[i] = CounterRandom.normal(seed, i);
        }
        orthonormalize(q, outputs);
        double[] p = null;
        for (int i = 0; i <= ITERATIONS; i++) {
            p = times(q, false);
            if (i < ITERATIONS) {
                orthonormalize(p, inputs);
                q = times(p, true);
                orthonormalize(q, outputs);
            }
        }
        // p = Qᵀ·W, whose singular values are the weight's.
        var svd = new SingularValueDecomposition(matrix(p, inputs).transpose());
        double[] a = new double[rank * inputs];
        double[] b = new double[outputs * rank];
        for (int r = 0; r < rank; r++) {
            double root = Math.sqrt(svd.getSingularValues()[r] / adapter.scale());
            double[] right = svd.getU().getColumn(r);
            double[] left = matrix(q, outputs).transpose().operate(svd.getV().getColumn(r));
            // The sign is free; the largest element of a row of A is positive.
            double sign = root * Math.signum(largest(right));
            for (int i = 0; i < inputs; i++) {
                a[r * inputs + i] = sign * right[i];
            }
            for (int o = 0; o < outputs; o++) {
                b[o * rank + r] = sign * left[o];
            }
        }
        backend.write(adapter.a(), a, a.length);
        backend.write(adapter.b(), b, b.length);
        backend.copy(adapter.start().a(), adapter.a());
        backend.copy(adapter.start().b(), adapter.b());
    }

    private static double largest(double[] values) {
        double largest = 0;
        for (double value : values) {
            largest = Math.abs(value) > Math.abs(largest) ? value : largest;
        }
        return largest;
    }

    private static RealMatrix matrix(double[] rows, int width) {
        double[][] matrix = new double[rows.length / width][width];
        for (int i = 0; i < rows.length; i++) {
            matrix[i / width][i % width] = rows[i];
        }
        return MatrixUtils.createRealMatrix(matrix);
    }

    /** Rows (K,O) times the weight, (K,I); or rows (K,I) times its transpose, (K,O). */
    private double[] times(double[] rows, boolean toOutputs) {
        int from = toOutputs ? inputs : outputs;
        int to = toOutputs ? outputs : inputs;
        int count = rows.length / from;
        DType type = backend.computeType();
        try (Buffer left = backend.allocate((long) rows.length * type.bytes());
                Buffer right = backend.allocate((long) count * to * type.bytes())) {
            Tensor x = new Tensor("rows", left, 0, type, count, from);
            Tensor out = new Tensor("product", right, 0, type, count, to);
            backend.write(x, rows, rows.length);
            if (toOutputs != transposed) {
                backend.linearForward(out, x, weight, 1, false);
            } else {
                backend.linearBackwardInput(out, x, weight, 1, false);
            }
            double[] result = new double[count * to];
            backend.read(result, out, result.length);
            return result;
        }
    }

    /** Gram and Schmidt's, twice, of the rows; one that depends on those before it becomes zero. */
    private static void orthonormalize(double[] rows, int width) {
        for (int at = 0; at < rows.length; at += width) {
            double before = Math.sqrt(dot(rows, at, at, width));
            for (int pass = 0; pass < 2; pass++) {
                for (int other = 0; other < at; other += width) {
                    double along = dot(rows, at, other, width);
                    for (int i = 0; i < width; i++) {
                        rows[at + i] -= along * rows[other + i];
                    }
                }
            }
            double norm = Math.sqrt(dot(rows, at, at, width));
            double factor = norm > 1e-10 * before ? 1 / norm : 0;
            for (int i = 0; i < width; i++) {
                rows[at + i] *= factor;
            }
        }
    }

    private static double dot(double[] rows, int a, int b, int width) {
        double sum = 0;
        for (int i = 0; i < width; i++) {
            sum += rows[a + i] * rows[b + i];
        }
        return sum;
    }

    // ---- as PEFT saves it for unchanged weights (path_initial_model_for_weight_conversion) ----

    /** The configuration with twice the rank, and alpha so that the scale stays. */
    static ObjectNode converted(ObjectNode config) {
        ObjectNode json = config.deepCopy();
        json.put("r", 2 * json.path("r").intValue());
        double alphas = json.path("use_rslora").asBoolean(false) ? Math.sqrt(2) : 2;
        double alpha = alphas * json.path("lora_alpha").doubleValue();
        json.set("lora_alpha", alpha == Math.rint(alpha) ? IntNode.valueOf((int) alpha) : DoubleNode.valueOf(alpha));
        if (json.get("rank_pattern") instanceof ObjectNode ranks) {
            ranks.properties()
                    .forEach(each ->
                            each.setValue(IntNode.valueOf(2 * each.getValue().intValue())));
        }
        if (json.get("alpha_pattern") instanceof ObjectNode each) {
            each.properties()
                    .forEach(of -> of.setValue(
                            DoubleNode.valueOf(alphas * of.getValue().doubleValue())));
        }
        return json;
    }

    /** (2R,I), A above its start; or (O,2R), B beside its start's negative. */
    static Tensor converted(Backend backend, Tensor now, Tensor start) {
        boolean isA = now.name().endsWith("lora_A.weight");
        int width = (int) now.dim(1);
        int rows = (int) now.dim(0);
        double[] first = new double[rows * width];
        double[] second = new double[first.length];
        backend.read(first, now, first.length);
        backend.read(second, start, second.length);
        long[] shape = isA ? new long[] {2L * rows, width} : new long[] {rows, 2L * width};
        Tensor both = new Tensor(now.name(), new HostBuffer(2 * now.bytes()), 0, now.type(), shape);
        for (int i = 0; i < first.length; i++) {
            long at = isA ? i : (long) i / width * 2 * width + i % width;
            both.set(at, first[i]);
            both.set(isA ? at + first.length : at + width, isA ? second[i] : -second[i]);
        }
        return both;
    }
}
