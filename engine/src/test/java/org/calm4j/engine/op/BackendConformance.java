package org.calm4j.engine.op;

import static org.assertj.core.api.Assertions.assertThat;

import it.unimi.dsi.fastutil.ints.IntOpenHashSet;
import it.unimi.dsi.fastutil.ints.IntSet;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.function.BiConsumer;
import java.util.stream.Stream;
import org.calm4j.engine.op.scalar.ScalarBackend;
import org.calm4j.engine.tensor.Buffer;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;
import org.junit.jupiter.api.Test;

/**
 * Every operation of a backend against the scalar definition, over odd shapes. A backend's test extends this and says which backend it is.
 *
 * <p>The error is the largest difference divided by the largest magnitude of the tensor, or by the magnitude that its terms would typically
 * add up to, where that is larger. Sums of many F32 products are bound by F32 itself, so those operations get {@link #SUM_TOLERANCE}.
 */
public abstract class BackendConformance {
    /** Two to three roundings of F32, 6e-8 each. */
    private static final double TOLERANCE = 2e-7;
    /** Sums of hundreds of rounded products; one F32 chain of 300 alone reaches 7e-7. */
    private static final double SUM_TOLERANCE = 1e-6;

    private static final int[] ODD = {1, 2, 3, 5, 7, 16, 17, 33, 65, 130};

    private final ScalarBackend scalar = new ScalarBackend();
    private final Random random = new Random(1);
    private int count;

    /** The backend that is tested; several instances may be open. */
    protected abstract Backend open();

    /**
     * Of so many cases one is run: for backends that are emulated. A number without a divisor in common with the sizes' lets each size
     * come.
     */
    protected int oneCaseOf() {
        return 1;
    }

    private boolean skipped() {
        return count++ % oneCaseOf() != 0;
    }

    /** For operations without long sums. */
    protected double tolerance() {
        return TOLERANCE;
    }

    /** For sums over hundreds of rows; a backend that makes them in one chain of F32 says what that costs. */
    protected double chainTolerance() {
        return SUM_TOLERANCE;
    }

    /** Words that are done at a time where a vocabulary goes by in chunks. */
    protected int chunk() {
        return Integer.MAX_VALUE;
    }

    /** For products of matrices and for attention; a backend that rounds their operands says what that costs. */
    protected double productTolerance() {
        return SUM_TOLERANCE;
    }

    /** The same inputs on both backends. */
    private final class Case implements AutoCloseable {
        final Backend backend = open();
        final List<Tensor> expected = new ArrayList<>();
        final List<Tensor> actual = new ArrayList<>();
        private final List<Buffer> buffers = new ArrayList<>();

        Tensor[] tensor(DType type, double scale, long... shape) {
            return tensor(
                    type,
                    random.doubles(Tensor.product(shape))
                            .map(x -> scale * (2 * x - 1))
                            .toArray(),
                    shape);
        }

        Tensor[] tensor(DType type, double[] values, long... shape) {
            return new Tensor[] {make(scalar, type, values, shape), make(backend, type, values, shape)};
        }

        Tensor[] indices(int bound, int n) {
            return indices(random.ints(n, 0, bound).toArray());
        }

        Tensor[] indices(int[] values) {
            int n = values.length;
            Tensor[] pair = new Tensor[2];
            for (int b = 0; b < 2; b++) {
                Backend of = b == 0 ? scalar : backend;
                pair[b] = new Tensor("indices", allocate(of, 4L * n), 0, DType.I32, n);
                of.write(pair[b], values, n);
            }
            return pair;
        }

        private Tensor make(Backend of, DType type, double[] values, long... shape) {
            Tensor tensor = new Tensor("t", allocate(of, values.length * (long) type.bytes()), 0, type, shape);
            if (type == DType.F32) {
                of.write(tensor, values, values.length);
            } else {
                Tensor wide = new Tensor("wide", allocate(of, 4L * values.length), 0, DType.F32, shape);
                of.write(wide, values, values.length);
                of.copy(tensor, wide);
            }
            return tensor;
        }

        /** NaN, or null without elements. */
        Tensor unset(Backend of, long elements) {
            if (elements == 0) {
                return null;
            }
            double[] values = new double[Math.toIntExact(elements)];
            Arrays.fill(values, Double.NaN);
            return make(of, DType.F32, values, elements);
        }

        private Buffer allocate(Backend of, long bytes) {
            Buffer buffer = of.allocate(bytes);
            buffers.add(buffer);
            return buffer;
        }

        void run(BiConsumer<Backend, Integer> operation) {
            operation.accept(scalar, 0);
            operation.accept(backend, 1);
        }

        void check(String what, double tolerance, Tensor[] pair) {
            check(what, tolerance, pair, 0);
        }

        /** @param typical magnitude of the result before terms cancel: few elements may all come out small by chance */
        void check(String what, double tolerance, Tensor[] pair, double typical) {
            int n = Math.toIntExact(pair[0].size());
            double[] right = new double[n];
            double[] given = new double[n];
            scalar.read(right, pair[0], n);
            backend.read(given, pair[1], n);
            double difference = 0;
            double magnitude = Math.max(typical, 1e-30);
            for (int i = 0; i < n; i++) {
                difference = Math.max(
                        difference, Double.isNaN(given[i]) ? Double.POSITIVE_INFINITY : Math.abs(given[i] - right[i]));
                magnitude = Math.max(magnitude, Math.abs(right[i]));
            }
            assertThat(difference / magnitude).as(what).isLessThanOrEqualTo(tolerance);
        }

        double largest(Tensor[] pair) {
            double[] right = new double[Math.toIntExact(pair[0].size())];
            scalar.read(right, pair[0], right.length);
            return Arrays.stream(right).map(Math::abs).max().orElseThrow();
        }

        @Override
        public void close() {
            buffers.forEach(Buffer::close);
            backend.close();
        }
    }

    @Test
    void linear() {
        for (int t : ODD) {
            for (int[] size : new int[][] {{1, 1}, {3, 7}, {17, 16}, {33, 65}, {130, 31}, {16, 300}, {1050, 9}}) {
                for (DType type : List.of(DType.F32, DType.BF16, DType.F16)) {
                    linear(t, size[0], size[1], type);
                }
            }
        }
        linear(64, 64, 1000, DType.F32);
    }

    void linear(int t, int n, int k, DType type) {
        String what = t + "x" + n + "x" + k + " " + type;
        // A uniform number in [-1,1] has the root mean square 1/√3.
        double typical = Math.sqrt(k) / 3;
        double typicalInput = typical * Math.sqrt(n / 3.0);
        double typicalWeight = typical * Math.sqrt(t / 3.0);
        if (skipped()) {
            return;
        }
        try (Case c = new Case()) {
            Tensor[] x = c.tensor(DType.F32, 1, t, k);
            Tensor[] w = c.tensor(type, 1, n, k);
            Tensor[] out = c.tensor(DType.F32, 1, t, n);
            Tensor[] dX = c.tensor(DType.F32, 1, t, k);
            Tensor[] dW = c.tensor(DType.F32, 1, n, k);
            c.run((b, i) -> b.linearForward(out[i], x[i], w[i], 0.7, false));
            c.check("forward set " + what, productTolerance(), out, 0.7 * typical);
            c.run((b, i) -> b.linearForward(out[i], x[i], w[i], -1, true));
            c.check("forward add " + what, productTolerance(), out, typical);
            c.run((b, i) -> b.linearBackwardInput(dX[i], out[i], w[i], 1, true));
            c.check("input add " + what, productTolerance(), dX, typicalInput);
            c.run((b, i) -> b.linearBackwardInput(dX[i], out[i], w[i], 2, false));
            c.check("input set " + what, productTolerance(), dX, 2 * typicalInput);
            c.run((b, i) -> b.linearBackwardWeight(dW[i], out[i], x[i], 0.5, true));
            c.check("weight add " + what, productTolerance(), dW, 0.5 * typicalWeight);
            c.run((b, i) -> b.linearBackwardWeight(dW[i], out[i], x[i], -2, false));
            c.check("weight set " + what, productTolerance(), dW, 2 * typicalWeight);
        }
    }

    @Test
    void embedding() {
        for (int t : ODD) {
            for (int width : ODD) {
                if (skipped()) {
                    continue;
                }
                try (Case c = new Case()) {
                    Tensor[] table = c.tensor(t % 2 == 0 ? DType.BF16 : DType.F32, 1, 11, width);
                    Tensor[] index = c.indices(11, t);
                    Tensor[] out = c.tensor(DType.F32, 1, t, width);
                    Tensor[] dTable = c.tensor(DType.F32, 1, 11, width);
                    c.run((b, i) -> b.embeddingForward(out[i], table[i], index[i], false));
                    c.check("forward", 0, out);
                    c.run((b, i) -> b.embeddingForward(out[i], table[i], index[i], true));
                    c.check("forward add", tolerance(), out);
                    c.run((b, i) -> b.embeddingBackward(dTable[i], out[i], index[i]));
                    c.check("backward", tolerance(), dTable);
                }
            }
        }
    }

    /** Into a table of F32, and of the type that caches have. */
    @Test
    void scatter() {
        for (int t : ODD) {
            for (int width : ODD) {
                if (skipped()) {
                    continue;
                }
                try (Case c = new Case()) {
                    Tensor[] index = c.indices(
                            random.ints(0, 2 * t + 3).distinct().limit(t).toArray());
                    Tensor[] from = c.tensor(DType.F32, 1, t, width);
                    for (DType type : List.of(DType.F32, c.backend.cacheType(16))) {
                        Tensor[] to = c.tensor(type, 1, 2 * t + 3, width);
                        c.run((b, i) -> b.scatter(to[i], from[i], index[i]));
                        c.check("to " + type, 0, to);
                    }
                }
            }
        }
    }

    @Test
    void rmsNorm() {
        for (int t : ODD) {
            for (int width : ODD) {
                if (skipped()) {
                    continue;
                }
                try (Case c = new Case()) {
                    Tensor[] x = c.tensor(DType.F32, 3, t, width);
                    Tensor[] w = c.tensor(t % 2 == 0 ? DType.F16 : DType.F32, 1, width);
                    Tensor[] out = c.tensor(DType.F32, 1, t, width);
                    Tensor[] rstd = c.tensor(DType.F32, 1, t);
                    Tensor[] dX = c.tensor(DType.F32, 1, t, width);
                    Tensor[] dW = c.tensor(DType.F32, 1, width);
                    Tensor[] dOut = c.tensor(DType.F32, 1, t, width);
                    Tensor[] residual = c.tensor(DType.F32, 3, t, width);
                    c.run((b, i) -> b.rmsNormForward(out[i], rstd[i], x[i], null, w[i], 1e-5));
                    // Two roundings more than rstd has.
                    c.check("out", 1.5 * tolerance(), out);
                    c.check("rstd", tolerance(), rstd);
                    c.run((b, i) -> b.rmsNormForward(out[i], rstd[i], x[i], residual[i], w[i], 1e-5));
                    c.check("x with residual", 0, x);
                    c.check("out with residual", 1.5 * tolerance(), out);
                    c.check("rstd with residual", tolerance(), rstd);
                    c.run((b, i) -> b.rmsNormBackward(dX[i], dW[i], dOut[i], x[i], w[i], rstd[i]));
                    // For a row near zero, r is large and the terms of dX cancel.
                    double terms = c.largest(rstd);
                    c.check("dX", SUM_TOLERANCE, dX, terms);
                    c.check("dW", SUM_TOLERANCE, dW, Math.sqrt(t / 3.0));
                    c.run((b, i) -> b.rmsNormBackward(dX[i], null, dOut[i], x[i], w[i], rstd[i]));
                    c.check("dX without dW", SUM_TOLERANCE, dX, terms);
                }
            }
        }
    }

    @Test
    void layerNorm() {
        for (int t : ODD) {
            for (int width : ODD) {
                if (skipped()) {
                    continue;
                }
                try (Case c = new Case()) {
                    Tensor[] x = c.tensor(DType.F32, 3, t, width);
                    Tensor[] w = c.tensor(t % 2 == 0 ? DType.BF16 : DType.F32, 1, width);
                    Tensor[] bias = c.tensor(t % 2 == 0 ? DType.F16 : DType.F32, 1, width);
                    Tensor[] out = c.tensor(DType.F32, 1, t, width);
                    Tensor[] mean = c.tensor(DType.F32, 1, t);
                    Tensor[] rstd = c.tensor(DType.F32, 1, t);
                    Tensor[] dX = c.tensor(DType.F32, 1, t, width);
                    Tensor[] dW = c.tensor(DType.F32, 1, width);
                    Tensor[] dBias = c.tensor(DType.F32, 1, width);
                    Tensor[] dOut = c.tensor(DType.F32, 1, t, width);
                    // So large that a row whose two numbers are nearly equal does not magnify their rounding without
                    // bound.
                    double epsilon = 1e-2;
                    Tensor[] residual = c.tensor(DType.F32, 3, t, width);
                    c.run((b, i) -> b.layerNormForward(out[i], mean[i], rstd[i], x[i], null, w[i], bias[i], epsilon));
                    c.check("out", SUM_TOLERANCE, out, 1);
                    c.check("mean", SUM_TOLERANCE, mean, 1);
                    c.check("rstd", SUM_TOLERANCE, rstd);
                    c.run((b, i) ->
                            b.layerNormForward(out[i], mean[i], rstd[i], x[i], residual[i], w[i], bias[i], epsilon));
                    c.check("x with residual", 0, x);
                    // The mean of numbers up to 6 is rounded, and rstd, up to 10 here, magnifies that.
                    c.check("out with residual", SUM_TOLERANCE, out, Math.max(1, c.largest(rstd) / 2));
                    c.check("mean with residual", SUM_TOLERANCE, mean, 1);
                    c.check("rstd with residual", SUM_TOLERANCE, rstd);
                    c.run((b, i) -> b.layerNormBackward(dX[i], dW[i], dBias[i], dOut[i], x[i], w[i], mean[i], rstd[i]));
                    double terms = c.largest(rstd);
                    c.check("dX", SUM_TOLERANCE, dX, terms);
                    c.check("dW", SUM_TOLERANCE, dW, Math.sqrt(t / 3.0));
                    c.check("dBias", SUM_TOLERANCE, dBias, Math.sqrt(t / 3.0));
                    c.run((b, i) -> b.layerNormBackward(dX[i], null, null, dOut[i], x[i], w[i], mean[i], rstd[i]));
                    c.check("dX without dW", SUM_TOLERANCE, dX, terms);
                }
            }
        }
    }

    @Test
    void bias() {
        for (int t : ODD) {
            for (int width : ODD) {
                if (skipped()) {
                    continue;
                }
                try (Case c = new Case()) {
                    Tensor[] x = c.tensor(DType.F32, 1, t, width);
                    Tensor[] bias = c.tensor(t % 2 == 0 ? DType.BF16 : DType.F32, 1, width);
                    Tensor[] dBias = c.tensor(DType.F32, 1, width);
                    c.run((b, i) -> b.biasForward(x[i], bias[i]));
                    c.check("forward", tolerance(), x);
                    c.run((b, i) -> b.biasBackward(dBias[i], x[i]));
                    c.check("backward", SUM_TOLERANCE, dBias, Math.sqrt(t / 3.0));
                }
            }
        }
    }

    /** More rows than a backend may add up at a time. */
    @Test
    void biasOfManyRows() {
        for (int t : new int[] {257, 700}) {
            try (Case c = new Case()) {
                Tensor[] x = c.tensor(DType.F32, 1, t, 3);
                Tensor[] dBias = c.tensor(DType.F32, 1, 3);
                c.run((b, i) -> b.biasBackward(dBias[i], x[i]));
                c.check("backward", chainTolerance(), dBias, Math.sqrt(t / 3.0));
            }
        }
    }

    /** Gradients of weights that are summed in chunks of rows. */
    @Test
    void normsOfManyRows() {
        int width = 3;
        for (int t : new int[] {257, 700}) {
            try (Case c = new Case()) {
                Tensor[] x = c.tensor(DType.F32, 3, t, width);
                Tensor[] w = c.tensor(DType.F32, 1, width);
                Tensor[] bias = c.tensor(DType.F32, 1, width);
                Tensor[] out = c.tensor(DType.F32, 1, t, width);
                Tensor[] mean = c.tensor(DType.F32, 1, t);
                Tensor[] rstd = c.tensor(DType.F32, 1, t);
                Tensor[] dX = c.tensor(DType.F32, 1, t, width);
                Tensor[] dW = c.tensor(DType.F32, 1, width);
                Tensor[] dBias = c.tensor(DType.F32, 1, width);
                Tensor[] dOut = c.tensor(DType.F32, 1, t, width);
                c.run((b, i) -> b.rmsNormForward(out[i], rstd[i], x[i], null, w[i], 1e-5));
                c.run((b, i) -> b.rmsNormBackward(dX[i], dW[i], dOut[i], x[i], w[i], rstd[i]));
                c.check("RMS norm's dW", 1e-4, dW, Math.sqrt(t / 3.0));
                c.run((b, i) -> b.layerNormForward(out[i], mean[i], rstd[i], x[i], null, w[i], bias[i], 1e-5));
                c.run((b, i) -> b.layerNormBackward(dX[i], dW[i], dBias[i], dOut[i], x[i], w[i], mean[i], rstd[i]));
                c.check("layer norm's dW", 1e-4, dW, Math.sqrt(t / 3.0));
                c.check("layer norm's dBias", 1e-4, dBias, Math.sqrt(t / 3.0));
            }
        }
    }

    @Test
    void gelu() {
        for (int t : ODD) {
            for (int f : ODD) {
                if (skipped()) {
                    continue;
                }
                try (Case c = new Case()) {
                    Tensor[] x = c.tensor(DType.F32, t % 2 == 0 ? 60 : 4, t, f);
                    Tensor[] out = c.tensor(DType.F32, 1, t, f);
                    Tensor[] dOut = c.tensor(DType.F32, 1, t, f);
                    c.run((b, i) -> b.geluForward(out[i], x[i]));
                    c.check("forward", 2 * tolerance(), out, 1);
                    c.run((b, i) -> b.geluBackward(out[i], dOut[i], x[i]));
                    c.check("dX", 2 * tolerance(), out, 1);
                    c.run((b, i) -> b.geluBackward(x[i], dOut[i], x[i]));
                    c.check("dX in place of x", 2 * tolerance(), x, 1);
                    c.run((b, i) -> b.geluBackward(dOut[i], dOut[i], out[i]));
                    c.check("dX in place of dOut", 2 * tolerance(), dOut, 1);
                }
            }
        }
    }

    @Test
    void rope() {
        for (int t : ODD) {
            for (int[] size : new int[][] {{2, 2}, {6, 6}, {16, 16}, {34, 34}, {64, 64}, {7, 4}, {64, 20}, {65, 64}}) {
                int d = size[1];
                if (skipped()) {
                    continue;
                }
                try (Case c = new Case()) {
                    Tensor[] x = c.tensor(DType.F32, 3, t, 3, size[0]);
                    Tensor[] cosine = c.tensor(DType.F32, 1, 9, d / 2);
                    Tensor[] sine = c.tensor(DType.F32, 1, 9, d / 2);
                    Tensor[] position = c.indices(9, t);
                    c.run((b, i) -> b.ropeForward(x[i], cosine[i], sine[i], position[i]));
                    c.check("forward", tolerance(), x);
                    c.run((b, i) -> b.ropeBackward(x[i], cosine[i], sine[i], position[i]));
                    c.check("backward", 2 * tolerance(), x);
                }
            }
        }
    }

    @Test
    void swiGlu() {
        for (int t : ODD) {
            for (int f : ODD) {
                if (skipped()) {
                    continue;
                }
                try (Case c = new Case()) {
                    Tensor[] gate = c.tensor(DType.F32, 9, t, f);
                    Tensor[] up = c.tensor(DType.F32, 2, t, f);
                    Tensor[] out = c.tensor(DType.F32, 1, t, f);
                    Tensor[] dOut = c.tensor(DType.F32, 1, t, f);
                    c.run((b, i) -> b.swiGluForward(out[i], gate[i], up[i]));
                    c.check("forward", tolerance(), out);
                    c.run((b, i) -> b.swiGluBackward(gate[i], up[i], dOut[i], gate[i], up[i]));
                    // The derivative has a zero, around which its terms cancel.
                    c.check("dGate in place", 2 * tolerance(), gate, 0.5);
                    c.check("dUp in place", 2 * tolerance(), up);
                }
            }
        }
    }

    @Test
    void attention() {
        for (int[] size :
                new int[][] {{1, 1, 2}, {2, 1, 6}, {4, 2, 8}, {6, 2, 16}, {3, 3, 33}, {4, 1, 64}, {2, 2, 80}}) {
            for (int forest = 0; forest < 6; forest++) {
                Segments segments = new Segments();
                int rows = forest(segments, forest);
                for (int window : new int[] {0, 1, 30}) {
                    attention(segments, rows, rows, size[0], size[1], size[2], window);
                }
            }
            Segments decode = new Segments();
            int prompt = decode.add(0, 0, 0, 5, Segments.NONE);
            decode.add(0, 1, 5, 3, prompt);
            decode.add(1, 1, 9, 1, prompt);
            decode.add(2, 1, 12, 4, Segments.NONE);
            for (int window : new int[] {0, 1, 3, 6}) {
                attention(decode, 3, 17, size[0], size[1], size[2], window);
            }
        }
        // Longer than a block of queries and than the keys that a backward pass takes at once, also with a window that
        // long.
        Segments lengthy = new Segments();
        int root = lengthy.add(0, 300, 0, 300, Segments.NONE);
        lengthy.add(300, 290, 300, 290, root);
        for (int window : new int[] {0, 60, 280}) {
            attention(lengthy, 590, 590, 2, 1, 8, window);
        }
    }

    /**
     * Scores of −114 or so, without rounding: where a prefix ends within what is done at a time, the weight of a key behind it, whose score would
     * be zero, is infinite.
     */
    @Test
    void attentionOfScoresFarBelowZero() {
        int rows = 45;
        int d = 16;
        Segments segments = new Segments();
        int root = segments.add(0, 5, 0, 5, Segments.NONE);
        segments.add(5, rows - 5, 5, rows - 5, root);
        for (int window : new int[] {0, 30}) {
            try (Case c = new Case()) {
                Tensor[] q = c.tensor(
                        DType.F32,
                        random.ints(rows * 2 * d, 16, 25).mapToDouble(x -> -x).toArray(),
                        rows,
                        2,
                        d);
                Tensor[] k = c.tensor(
                        DType.F32,
                        random.ints(rows * d, 8, 16).mapToDouble(x -> x / 8.0).toArray(),
                        rows,
                        1,
                        d);
                // A log-sum-exp of −100 is rounded by 4e-6.
                attention(c, q, k, segments, window, Math.max(1e-5, productTolerance()));
            }
        }
    }

    /**
     * New tokens over keys and values of the type that caches have; sums are F32, so that nothing is lost but what rounding the cache itself
     * cost. Longer than what one block reads, more heads in a group than are done together, sequences in several pieces; the last row is
     * the cache's last.
     */
    @Test
    void attentionOverACache() {
        for (int[] size : new int[][] {
            {1, 1, 2}, {2, 1, 6}, {4, 2, 8}, {5, 1, 16}, {2, 2, 80}, {6, 1, 64}, {3, 3, 33}, {4, 2, 128}, {2, 1, 160}
        }) {
            for (int window : new int[] {0, 1, 3, 130}) {
                Segments segments = new Segments();
                int prompt = segments.add(0, 0, 30, 5, Segments.NONE);
                int more = segments.add(0, 0, 60, 127, prompt);
                segments.add(0, 1, 5, 3, prompt);
                segments.add(1, 1, 190, 20, more);
                segments.add(2, 1, 12, 4, Segments.NONE);
                segments.add(3, 1, 0, 1, more);
                attentionOverACache(segments, 4, 210, size[0], size[1], size[2], window);
            }
        }
    }

    private void attentionOverACache(Segments segments, int rows, int keys, int heads, int groups, int d, int window) {
        if (count++ % Math.min(oneCaseOf(), 3) != 0) {
            return;
        }
        try (Case c = new Case()) {
            DType type = c.backend.cacheType(d);
            Tensor[] q = c.tensor(DType.F32, 2, rows, heads, d);
            Tensor[] k = c.tensor(type, 2, keys, groups, d);
            Tensor[] v = c.tensor(type, 1, keys, groups, d);
            Tensor[] out = c.tensor(DType.F32, 1, rows, heads, d);
            Tensor[] lse = c.tensor(DType.F32, 1, rows, heads);
            String what = heads + "/" + groups + "x" + d + " " + type + " window " + window;
            c.run((b, i) -> b.attentionForward(out[i], lse[i], q[i], k[i], v[i], segments, 1 / Math.sqrt(d), window));
            c.check("out " + what, SUM_TOLERANCE, out, 0.5);
            c.check("lse " + what, SUM_TOLERANCE, lse, 1);
            // A prompt behind one: its queries are rounded like any product's operands.
            Segments behind = new Segments();
            behind.add(0, rows, 7, 100, Segments.NONE);
            c.run((b, i) -> b.attentionForward(out[i], lse[i], q[i], k[i], v[i], behind, 1 / Math.sqrt(d), window));
            c.check("out behind " + what, productTolerance(), out, 0.5);
            c.check("lse behind " + what, productTolerance(), lse, 1);
        }
    }

    /** Several trees with shared prefixes, up to three segments deep; returns the rows. */
    private int forest(Segments segments, int kind) {
        int row = 0;
        for (int tree = 0; tree <= kind; tree++) {
            int length = 1 + random.nextInt(40);
            int root = segments.add(row, length, row, length, Segments.NONE);
            row += length;
            for (int child = 0; child < kind % 3; child++) {
                length = 1 + random.nextInt(20);
                int segment = segments.add(row, length, row, length, root);
                row += length;
                if (child == 1) {
                    length = 1 + random.nextInt(9);
                    segments.add(row, length, row, length, segment);
                    row += length;
                }
            }
        }
        return row;
    }

    private void attention(Segments segments, int rows, int keys, int heads, int groups, int d, int window) {
        if (skipped()) {
            return;
        }
        try (Case c = new Case()) {
            attention(
                    c,
                    c.tensor(DType.F32, 2, rows, heads, d),
                    c.tensor(DType.F32, 2, keys, groups, d),
                    segments,
                    window,
                    productTolerance());
        }
    }

    private void attention(Case c, Tensor[] q, Tensor[] k, Segments segments, int window, double tolerance) {
        long rows = q[0].dim(0);
        long heads = q[0].dim(1);
        long d = q[0].dim(2);
        long keys = k[0].dim(0);
        long groups = k[0].dim(1);
        Tensor[] v = c.tensor(DType.F32, 1, keys, groups, d);
        Tensor[] out = c.tensor(DType.F32, 1, rows, heads, d);
        Tensor[] lse = c.tensor(DType.F32, 1, rows, heads);
        Tensor[] dOut = c.tensor(DType.F32, 1, rows, heads, d);
        Tensor[] dQ = c.tensor(DType.F32, 1, rows, heads, d);
        Tensor[] dK = c.tensor(DType.F32, 1, keys, groups, d);
        Tensor[] dV = c.tensor(DType.F32, 1, keys, groups, d);
        double scale = 1 / Math.sqrt(d);
        c.run((b, i) -> b.attentionForward(out[i], lse[i], q[i], k[i], v[i], segments, scale, window));
        c.check("out", tolerance, out, 0.5);
        c.check("lse", tolerance, lse, 1);
        c.run((b, i) -> b.attentionBackward(
                dQ[i], dK[i], dV[i], dOut[i], out[i], lse[i], q[i], k[i], v[i], segments, scale, window));
        c.check("dQ", 2 * tolerance, dQ, 0.5);
        c.check("dK", 2 * tolerance, dK, 0.5);
        c.check("dV", Math.max(chainTolerance(), 2 * tolerance), dV, 0.5);
    }

    @Test
    void tokenLogProb() {
        for (int n : ODD) {
            tokenLogProb(n, 2, 3);
            tokenLogProb(n, 17, 16);
            tokenLogProb(n, 129, 33);
            tokenLogProb(n, 2077, 7);
        }
        tokenLogProb(515, 1030, 5);
    }

    private void tokenLogProb(int n, int v, int width) {
        if (skipped()) {
            return;
        }
        try (Case c = new Case()) {
            Tensor[] x = c.tensor(DType.F32, 2, n, width);
            Tensor[] w = c.tensor(n % 2 == 0 ? DType.BF16 : DType.F32, 2, v, width);
            int[] targets = random.ints(n, 0, v).toArray();
            if (chunk() < v) {
                // Behind the first chunk's last logit.
                targets[n - 1] = chunk();
            }
            Tensor[] target = c.indices(targets);
            Tensor[] logProb = c.tensor(DType.F32, 1, n);
            Tensor[] lse = c.tensor(DType.F32, 1, n);
            Tensor[] dX = c.tensor(DType.F32, 1, n, width);
            Tensor[] dW = c.tensor(DType.F32, 1, v, width);
            Tensor[] coefficient = c.tensor(DType.F32, 1, n);
            c.run((b, i) -> b.tokenLogProbForward(logProb[i], lse[i], x[i], w[i], target[i], null));
            // A sure target has log-probability zero, from logits as large as their log-sum-exp.
            c.check("logProb", productTolerance(), logProb, Math.max(1, c.largest(lse)));
            c.check("lse", productTolerance(), lse, 1);
            c.run((b, i) ->
                    b.tokenLogProbBackward(dX[i], dW[i], coefficient[i], x[i], w[i], target[i], lse[i], null, true));
            c.check("dX", 2 * productTolerance(), dX, 1);
            c.check("dW", 2 * productTolerance(), dW, 1);
            c.run((b, i) ->
                    b.tokenLogProbBackward(dX[i], null, coefficient[i], x[i], w[i], target[i], lse[i], null, true));
            c.check("dX without dW", 2 * productTolerance(), dX, 1);
            c.run((b, i) -> {
                Tensor kept = c.unset(b, b.keptLogits(n, v));
                b.tokenLogProbForward(logProb[i], lse[i], x[i], w[i], target[i], kept);
                b.tokenLogProbBackward(dX[i], dW[i], coefficient[i], x[i], w[i], target[i], lse[i], kept, false);
            });
            c.check("logProb with kept logits", productTolerance(), logProb, Math.max(1, c.largest(lse)));
            c.check("dX with kept logits", 2 * productTolerance(), dX, 1);
            c.check("dW with kept logits", 2 * productTolerance(), dW, 1);
        }
    }

    /** Products with weights that stay as they are have the same bits, however often they are read, and are those with others. */
    @Test
    void frozenWeights() {
        for (int t : new int[] {3, 7, 33, 130}) {
            for (int[] size : new int[][] {{9, 7}, {17, 16}, {33, 65}, {130, 31}, {40, 1050}, {2077, 24}}) {
                for (DType type : List.of(DType.F32, DType.BF16, DType.F16)) {
                    if (!skipped()) {
                        frozenWeights(t, size[0], size[1], type);
                    }
                }
            }
        }
    }

    private void frozenWeights(int t, int n, int k, DType type) {
        try (Case c = new Case()) {
            Backend b = c.backend;
            Tensor x = c.tensor(DType.F32, 1, t, k)[1];
            Tensor dOut = c.tensor(DType.F32, 1, t, n)[1];
            Tensor target = c.indices(n, t)[1];
            Tensor w = c.tensor(type, 1, n, k)[1];
            Tensor frozen = new Tensor("frozen", c.allocate(b, w.bytes()), 0, type, n, k);
            b.copy(frozen, w);
            b.freezes(List.of(frozen));
            List<double[]> others = products(c, x, w, dOut, target);
            List<double[]> expected = products(c, x, frozen, dOut, target);
            List<double[]> again = products(c, x, frozen, dOut, target);
            for (int i = 0; i < expected.size(); i++) {
                String what = t + "x" + n + "x" + k + " " + type + ", result " + i;
                // What differs in a logit, which is a sum of k products, differs in a probability by as much: more, the
                // larger logits are.
                double logits = i == 2
                        ? Arrays.stream(expected.get(4)).map(Math::abs).max().orElse(1)
                        : 1;
                assertThat(difference(expected.get(i), others.get(i)))
                        .as(what)
                        .isLessThanOrEqualTo(2 * productTolerance() * Math.max(1, logits));
                assertThat(again.get(i)).as(what + ", again").isEqualTo(expected.get(i));
            }
        }
    }

    /** The largest difference over the largest magnitude. */
    private static double difference(double[] a, double[] b) {
        double difference = 0;
        double magnitude = 1;
        for (int i = 0; i < a.length; i++) {
            difference = Math.max(difference, Double.isNaN(a[i]) ? Double.POSITIVE_INFINITY : Math.abs(a[i] - b[i]));
            magnitude = Math.max(magnitude, Math.abs(b[i]));
        }
        return difference / magnitude;
    }

    /** What all products with a weight give. */
    private static List<double[]> products(Case c, Tensor x, Tensor w, Tensor dOut, Tensor target) {
        Backend b = c.backend;
        int t = (int) x.dim(0);
        Tensor out = c.unset(b, dOut.size()).view(dOut.shape());
        Tensor dX = c.unset(b, x.size()).view(x.shape());
        Tensor dNorm = c.unset(b, x.size()).view(x.shape());
        Tensor logProb = c.unset(b, t);
        Tensor lse = c.unset(b, t);
        b.linearForward(out, x, w, 0.7, false);
        b.linearForward(out, x, w, -1, true);
        b.linearBackwardInput(dX, dOut, w, 0.7, false);
        b.linearBackwardInput(dX, dOut, w, -1, true);
        b.tokenLogProbForward(logProb, lse, x, w, target, null);
        b.tokenLogProbBackward(dNorm, null, logProb, x, w, target, lse, null, false);
        return Stream.of(out, dX, dNorm, logProb, lse)
                .map(tensor -> {
                    double[] values = new double[(int) tensor.size()];
                    b.read(values, tensor, values.length);
                    return values;
                })
                .toList();
    }

    /** The same tokens, drawn with each filter alone and with all, from smooth logits, steep ones, and ones with many that are equal. */
    @Test
    void sample() {
        TokenFilter[] filters = {
            new TokenFilter(0, 0, 1, 0, 1),
            new TokenFilter(0, 0, 1, 0, 1.3),
            new TokenFilter(1, 0, 1, 0, 1),
            new TokenFilter(0.7, 5, 1, 0, 1),
            new TokenFilter(1.2, 0, 0.9, 0, 1),
            new TokenFilter(1, 0, 0.3, 0, 1.2),
            new TokenFilter(1, 0, 1, 0.1, 1),
            new TokenFilter(0.8, 40, 0.95, 0.05, 1.1),
            new TokenFilter(1, 1, 1, 0, 1)
        };
        for (int vocabulary : new int[] {1, 3, 31, 97, 1200, 3001}) {
            for (TokenFilter filter : filters) {
                for (double scale : new double[] {0.01, 2, 30}) {
                    if (skipped()) {
                        continue;
                    }
                    sample(vocabulary, filter, scale);
                }
            }
        }
    }

    /** Of tokens that are all equal the nucleus keeps fewer than the top ones. */
    @Test
    void sampleOfTies() {
        for (int vocabulary : new int[] {97, 1200}) {
            sample(vocabulary, new TokenFilter(1, 40, 0.3, 0, 1), 0);
        }
    }

    private void sample(int vocabulary, TokenFilter filter, double scale) {
        try (Case c = new Case()) {
            Tensor[] logits = c.tensor(DType.F32, scale, 3, vocabulary);
            // Whole numbers, of which many are equal.
            double[] equal = random.doubles(vocabulary, -2, 2).map(Math::rint).toArray();
            scalar.write(logits[0].rows(2, 1), equal, vocabulary);
            c.backend.write(logits[1].rows(2, 1), equal, vocabulary);
            Draws[] draws = {new Draws(), new Draws()};
            for (int i = 0; i < 12; i++) {
                IntSet seen = new IntOpenHashSet(random.ints(i, 0, vocabulary).toArray());
                long stream = random.nextLong();
                for (Draws of : draws) {
                    of.add(i % 3, stream, i, seen);
                }
            }
            c.run((b, i) -> b.sample(draws[i], logits[i], filter));
            for (int i = 0; i < draws[0].count(); i++) {
                String what = "draw " + i + " of " + vocabulary + " with " + filter + ", logits to " + scale;
                assertThat(draws[1].token(i)).as(what).isEqualTo(draws[0].token(i));
                assertThat(draws[1].logProb(i))
                        .as(what)
                        .isCloseTo(draws[0].logProb(i), org.assertj.core.api.Assertions.within(1e-6));
            }
        }
    }

    /** One launch, or many, give the same as a step for each tensor; the third tensor's size is that of several blocks. */
    @Test
    void optimizerOfManyTensors() {
        try (Case c = new Case()) {
            int[] sizes = {1, 130, 20_001, 64};
            double[] decay = {0, 0.1, 0.3, 0};
            List<List<Tensor>> w = List.of(new ArrayList<>(), new ArrayList<>());
            List<List<Tensor>> m = List.of(new ArrayList<>(), new ArrayList<>());
            List<List<Tensor>> v = List.of(new ArrayList<>(), new ArrayList<>());
            List<List<Tensor>> grad = List.of(new ArrayList<>(), new ArrayList<>());
            List<Tensor[]> all = new ArrayList<>();
            for (int size : sizes) {
                all.add(c.tensor(DType.F32, 1, size));
                Tensor[] moment = c.tensor(DType.F32, 0, size);
                Tensor[] square = c.tensor(DType.F32, 0, size);
                Tensor[] gradient = c.tensor(DType.F32, 1, size);
                for (int b = 0; b < 2; b++) {
                    w.get(b).add(all.getLast()[b]);
                    m.get(b).add(moment[b]);
                    v.get(b).add(square[b]);
                    grad.get(b).add(gradient[b]);
                }
            }
            for (int step = 1; step <= 2; step++) {
                int at = step;
                c.run((b, i) ->
                        b.adamW(w.get(i), m.get(i), v.get(i), grad.get(i), AdamW.DEFAULT, 1e-2, decay, 0.3, at));
            }
            for (Tensor[] pair : all) {
                c.check("w", 3 * tolerance(), pair);
            }
        }
    }

    @Test
    void optimizerAndDropout() {
        for (int n : new int[] {1, 2, 7, 63, 1000, 40_001}) {
            if (skipped()) {
                continue;
            }
            try (Case c = new Case()) {
                Tensor[] w = c.tensor(DType.F32, 1, n);
                Tensor[] grad = c.tensor(DType.F32, 1, n);
                Tensor[] m = c.tensor(DType.F32, 0, n);
                Tensor[] v = c.tensor(DType.F32, 0, n);
                for (int step = 1; step <= 3; step++) {
                    int at = step;
                    c.run((b, i) -> b.adamW(w[i], m[i], v[i], grad[i], AdamW.DEFAULT, 1e-2, 0.1, 0.3, at));
                }
                c.check("w", 3 * tolerance(), w);
                c.check("m", 2 * tolerance(), m);
                c.check("v", 3 * tolerance(), v);
                double[] squares = new double[2];
                c.run((b, i) -> squares[i] = b.sumOfSquares(grad[i]));
                assertThat(squares[1]).isCloseTo(squares[0], org.assertj.core.api.Assertions.withinPercentage(1e-10));
                c.run((b, i) -> b.dropout(w[i], grad[i], 0.3, 42, true));
                c.check("dropout add", tolerance(), w, 1);
                c.run((b, i) -> b.dropout(w[i], grad[i], 0.3, 43, false));
                c.check("dropout set", tolerance(), w);
            }
        }
    }
}
