package org.calm4j.engine.op;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.DoubleSupplier;
import java.util.stream.Stream;
import org.apache.commons.math3.linear.Array2DRowRealMatrix;
import org.apache.commons.math3.linear.MatrixUtils;
import org.apache.commons.math3.linear.RealMatrix;
import org.calm4j.engine.op.scalar.ScalarBackend;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

final class AttentionTest {
    private final Backend backend = new ScalarBackend(DType.F64);
    private final Random random = new Random(5);

    /** Segments over {@code rows} queries and {@code keys} keys, with heads as in the op's Javadoc. */
    record Shape(String name, Segments segments, int rows, int keys, int h, int g, int d, int window) {
        double scale() {
            return 1 / Math.sqrt(d);
        }

        @Override
        public String toString() {
            return name;
        }
    }

    static Stream<Shape> shapes() {
        Segments one = new Segments();
        one.add(0, 1, 0, 1, Segments.NONE);

        Segments causal = new Segments();
        causal.add(0, 6, 0, 6, Segments.NONE);

        Segments forest = new Segments();
        int prompt = forest.add(0, 3, 0, 3, Segments.NONE);
        int chosen = forest.add(3, 2, 3, 2, prompt);
        forest.add(5, 1, 5, 1, prompt);
        forest.add(6, 2, 6, 2, chosen);
        forest.add(8, 1, 8, 1, chosen);
        int other = forest.add(11, 2, 11, 2, Segments.NONE);
        forest.add(9, 2, 9, 2, other);

        Segments decode = new Segments();
        int cached = decode.add(0, 0, 1, 4, Segments.NONE);
        decode.add(0, 1, 6, 3, cached);
        decode.add(1, 1, 10, 1, cached);
        decode.add(2, 3, 12, 5, Segments.NONE);

        return Stream.of(
                new Shape("one token", one, 1, 1, 1, 1, 1, 0),
                new Shape("one sequence", causal, 6, 6, 2, 2, 3, 0),
                new Shape("a forest, four heads over two", forest, 13, 13, 4, 2, 2, 0),
                new Shape("a forest, three heads over one", forest, 13, 13, 3, 1, 5, 0),
                new Shape("decoding from a cache", decode, 5, 18, 6, 2, 3, 0),
                new Shape("a window of one", causal, 6, 6, 2, 2, 3, 1),
                new Shape("a window of three", causal, 6, 6, 2, 1, 2, 3),
                new Shape("a forest in a window", forest, 13, 13, 4, 2, 2, 4),
                new Shape("decoding in a window", decode, 5, 18, 6, 2, 3, 4));
    }

    /** Inputs, outputs and gradients of one shape; everything that is to be set starts as NaN. */
    private final class Case {
        final Shape shape;
        final Tensor q;
        final Tensor k;
        final Tensor v;
        final Tensor dOut;
        final Tensor out;
        final Tensor lse;
        final Tensor dQ;
        final Tensor dK;
        final Tensor dV;

        Case(Shape shape, Tensor q, Tensor k, Tensor v, Tensor dOut) {
            this.shape = shape;
            this.q = q;
            this.k = k;
            this.v = v;
            this.dOut = dOut;
            out = Doubles.unset(q.shape());
            lse = Doubles.unset(shape.rows(), shape.h());
            dQ = Doubles.unset(q.shape());
            dK = Doubles.unset(k.shape());
            dV = Doubles.unset(v.shape());
            forward();
            backend.attentionBackward(
                    dQ,
                    dK,
                    dV,
                    dOut,
                    Doubles.copy(out),
                    Doubles.copy(lse),
                    q,
                    k,
                    v,
                    shape.segments(),
                    shape.scale(),
                    shape.window());
        }

        void forward() {
            backend.attentionForward(out, lse, q, k, v, shape.segments(), shape.scale(), shape.window());
        }
    }

    private Case random(Shape s) {
        return new Case(
                s,
                Doubles.random(random, 1.5, s.rows(), s.h(), s.d()),
                Doubles.random(random, 1.5, s.keys(), s.g(), s.d()),
                Doubles.random(random, 1, s.keys(), s.g(), s.d()),
                Doubles.random(random, 1, s.rows(), s.h(), s.d()));
    }

    @ParameterizedTest
    @MethodSource("shapes")
    void finiteDifferences(Shape shape) {
        Case c = random(shape);
        DoubleSupplier objective = () -> {
            c.forward();
            return Doubles.dot(c.dOut, c.out);
        };
        FiniteDifferences.check("dQ", c.q, c.dQ, objective);
        FiniteDifferences.check("dK", c.k, c.dK, objective);
        FiniteDifferences.check("dV", c.v, c.dV, objective);
    }

    /** Head by head by whole matrices: P = softmax(scale·Q·Kᵀ), dV = Pᵀ·dO, dS = (diag(p) − p·pᵀ)·dP, dQ = scale·dS·K, dK = scale·dSᵀQ. */
    @ParameterizedTest
    @MethodSource("shapes")
    void explicitMatrices(Shape shape) {
        Case c = random(shape);
        int perGroup = shape.h() / shape.g();
        for (int g = 0; g < shape.g(); g++) {
            RealMatrix k = head(c.k, g);
            RealMatrix v = head(c.v, g);
            RealMatrix dK = new Array2DRowRealMatrix(shape.keys(), shape.d());
            RealMatrix dV = new Array2DRowRealMatrix(shape.keys(), shape.d());
            for (int h = g * perGroup; h < (g + 1) * perGroup; h++) {
                RealMatrix q = head(c.q, h);
                RealMatrix dO = head(c.dOut, h);
                RealMatrix p = softmax(q.multiply(k.transpose()).scalarMultiply(shape.scale()), shape, c.lse, h);
                RealMatrix dP = dO.multiply(v.transpose());
                RealMatrix dS = new Array2DRowRealMatrix(shape.rows(), shape.keys());
                for (int row = 0; row < shape.rows(); row++) {
                    RealMatrix ppT = p.getRowMatrix(row).transpose().multiply(p.getRowMatrix(row));
                    RealMatrix jacobian =
                            MatrixUtils.createRealDiagonalMatrix(p.getRow(row)).subtract(ppT);
                    dS.setRow(row, jacobian.operate(dP.getRow(row)));
                }
                assertHead("out", c.out, h, p.multiply(v));
                assertHead("dQ", c.dQ, h, dS.multiply(k).scalarMultiply(shape.scale()));
                dK = dK.add(dS.transpose().multiply(q).scalarMultiply(shape.scale()));
                dV = dV.add(p.transpose().multiply(dO));
            }
            assertHead("dK", c.dK, g, dK);
            assertHead("dV", c.dV, g, dV);
        }
    }

    /**
     * Rows of probabilities; checks lse on the way. A key is seen when it is the row's own segment's, up to the row, or any ancestor's,
     * and less than the window before the row.
     */
    private static RealMatrix softmax(RealMatrix scores, Shape shape, Tensor lse, int h) {
        Segments segments = shape.segments();
        RealMatrix p = new Array2DRowRealMatrix(scores.getRowDimension(), scores.getColumnDimension());
        for (int s = 0; s < segments.count(); s++) {
            for (int j = 0; j < segments.queryLength(s); j++) {
                int row = segments.queryStart(s) + j;
                int hidden = segments.queryLength(s) - 1 - j;
                for (int from = s; from != Segments.NONE; from = segments.parent(from)) {
                    int end = segments.keyStart(from) + segments.keyLength(from) - (from == s ? hidden : 0);
                    for (int key = segments.keyStart(from); key < end; key++) {
                        int distance = segments.depth(s)
                                + segments.keyLength(s)
                                - 1
                                - hidden
                                - segments.depth(from)
                                - key
                                + segments.keyStart(from);
                        if (shape.window() == 0 || distance < shape.window()) {
                            p.setEntry(row, key, Math.exp(scores.getEntry(row, key)));
                        }
                    }
                }
                double sum = 0;
                for (double e : p.getRow(row)) {
                    sum += e;
                }
                Doubles.assertClose("lse", lse.get(row * lse.dim(1) + h), Math.log(sum));
                p.setRowMatrix(row, p.getRowMatrix(row).scalarMultiply(1 / sum));
            }
        }
        return p;
    }

    private static RealMatrix head(Tensor x, int head) {
        int d = (int) x.dim(2);
        return Doubles.matrix(x).getSubMatrix(0, (int) x.dim(0) - 1, head * d, (head + 1) * d - 1);
    }

    private static void assertHead(String what, Tensor x, int head, RealMatrix expected) {
        Doubles.assertClose(what, Doubles.of(head(x, head)), Doubles.of(expected));
    }

    /** A tree of segments gives what its paths give as sequences of their own; a shared row's gradient is the sum of its copies'. */
    @Test
    void sharedPrefixesEqualSeparateSequences() {
        sharedPrefixesEqualSeparateSequences(shapes().skip(2).findFirst().orElseThrow());
        sharedPrefixesEqualSeparateSequences(shapes().skip(7).findFirst().orElseThrow());
    }

    private void sharedPrefixesEqualSeparateSequences(Shape shape) {
        Case shared = random(shape);
        // Each path of the forest as rows of it, and the first of them that no earlier path has.
        int[][] paths = {{0, 1, 2, 3, 4, 6, 7}, {0, 1, 2, 3, 4, 8}, {0, 1, 2, 5}, {11, 12, 9, 10}};
        int[] fresh = {0, 5, 3, 0};
        List<Tensor> sums = List.of(zero(shared.dQ), zero(shared.dK), zero(shared.dV));
        for (int i = 0; i < paths.length; i++) {
            Segments segments = new Segments();
            segments.add(0, paths[i].length, 0, paths[i].length, Segments.NONE);
            Tensor dOut = gather(shared.dOut, paths[i]);
            for (long e = 0; e < fresh[i] * dOut.rowSize(); e++) {
                dOut.set(e, 0);
            }
            Case path = new Case(
                    new Shape(
                            "path",
                            segments,
                            paths[i].length,
                            paths[i].length,
                            shape.h(),
                            shape.g(),
                            shape.d(),
                            shape.window()),
                    gather(shared.q, paths[i]),
                    gather(shared.k, paths[i]),
                    gather(shared.v, paths[i]),
                    dOut);
            Doubles.assertClose("out", path.out, gather(shared.out, paths[i]));
            scatter(sums.get(0), path.dQ, paths[i]);
            scatter(sums.get(1), path.dK, paths[i]);
            scatter(sums.get(2), path.dV, paths[i]);
        }
        Doubles.assertClose("dQ", shared.dQ, sums.get(0));
        Doubles.assertClose("dK", shared.dK, sums.get(1));
        Doubles.assertClose("dV", shared.dV, sums.get(2));
    }

    private static Tensor zero(Tensor like) {
        return Doubles.of(new double[(int) like.size()], like.shape());
    }

    private static Tensor gather(Tensor x, int[] rows) {
        List<Double> values = new ArrayList<>();
        for (int row : rows) {
            for (double value : Doubles.array(x.rows(row, 1))) {
                values.add(value);
            }
        }
        return Doubles.of(values.stream().mapToDouble(Double::doubleValue).toArray(), rows.length, x.dim(1), x.dim(2));
    }

    private static void scatter(Tensor to, Tensor from, int[] rows) {
        for (int i = 0; i < rows.length; i++) {
            for (long e = 0; e < to.rowSize(); e++) {
                long at = rows[i] * to.rowSize() + e;
                to.set(at, to.get(at) + from.get(i * to.rowSize() + e));
            }
        }
    }

    /** Scores of a thousand and more must not overflow. */
    @Test
    void largeScores() {
        Segments segments = new Segments();
        segments.add(0, 2, 0, 2, Segments.NONE);
        Tensor q = Doubles.of(new double[] {40, 40}, 2, 1, 1);
        Tensor k = Doubles.of(new double[] {30, 30.001}, 2, 1, 1);
        Tensor v = Doubles.of(new double[] {1, 3}, 2, 1, 1);
        Tensor out = Doubles.unset(2, 1, 1);
        Tensor lse = Doubles.unset(2, 1);
        backend.attentionForward(out, lse, q, k, v, segments, 1, 0);
        FiniteDifferences.assertClose("out", out.get(1), 1 + 2 / (1 + Math.exp(-0.04)), 1e-10);
        FiniteDifferences.assertClose("lse", lse.get(1), 1200 + Math.log(1 + Math.exp(0.04)), 1e-10);
    }

    @ParameterizedTest
    @MethodSource("oracle")
    void pytorch(Oracle oracle) {
        Segments segments = new Segments();
        Tensor rows = oracle.tensor("segments");
        for (int s = 0; s < rows.dim(0); s++) {
            int at = 5 * s;
            segments.add(
                    rows.getInt(at),
                    rows.getInt(at + 1),
                    rows.getInt(at + 2),
                    rows.getInt(at + 3),
                    rows.getInt(at + 4));
        }
        Tensor out = oracle.unset("out");
        Tensor lse = oracle.unset("lse");
        Tensor q = oracle.tensor("q");
        Tensor k = oracle.tensor("k");
        Tensor v = oracle.tensor("v");
        backend.attentionForward(out, lse, q, k, v, segments, oracle.number("scale"), (int) oracle.number("window"));
        oracle.check("out", out);
        oracle.check("lse", lse);
        Tensor dQ = oracle.unset("dQ");
        Tensor dK = oracle.unset("dK");
        Tensor dV = oracle.unset("dV");
        backend.attentionBackward(
                dQ, dK, dV, oracle.tensor("dOut"), out, lse, q, k, v, segments, oracle.number("scale"), (int)
                        oracle.number("window"));
        oracle.check("dQ", dQ);
        oracle.check("dK", dK);
        oracle.check("dV", dV);
    }

    static Iterable<Oracle> oracle() {
        return Oracle.cases("Attention");
    }
}
