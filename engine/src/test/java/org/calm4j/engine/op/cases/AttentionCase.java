package org.calm4j.engine.op.cases;

import java.util.ArrayList;
import java.util.List;
import org.calm4j.engine.op.Segments;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;

/**
 * Heads h over key heads g of d elements.
 *
 * @param forest which segments, see {@link Forest}
 * @param low scores of −114 or so, without rounding: where a prefix ends within what is done at a time, the weight of a key behind it, whose
 *     score would be zero, is infinite
 */
record AttentionCase(int h, int g, int d, String forest, int window, boolean low) implements TimedCase {
    static List<OpCase> all() {
        List<OpCase> cases = new ArrayList<>();
        for (int[] size :
                new int[][] {{1, 1, 2}, {2, 1, 6}, {4, 2, 8}, {6, 2, 16}, {3, 3, 33}, {4, 1, 64}, {2, 2, 80}}) {
            for (int kind = 0; kind < 6; kind++) {
                for (int window : new int[] {0, 1, 30}) {
                    cases.add(new AttentionCase(size[0], size[1], size[2], Forest.TREES + kind, window, false));
                }
            }
            for (int window : new int[] {0, 1, 3, 6}) {
                cases.add(new AttentionCase(size[0], size[1], size[2], Forest.DECODE, window, false));
            }
        }
        for (int window : new int[] {0, 60, 280}) {
            cases.add(new AttentionCase(2, 1, 8, Forest.LENGTHY, window, false));
        }
        for (int window : new int[] {0, 40}) {
            cases.add(new AttentionCase(2, 1, 8, Forest.SHARED + 3, window, false));
            cases.add(new AttentionCase(4, 2, 16, Forest.SHARED + 9, window, false));
        }
        for (int window : new int[] {0, 30}) {
            cases.add(new AttentionCase(2, 1, 16, Forest.PREFIX, window, true));
        }
        return cases;
    }

    @Override
    public int oneOf(int wanted) {
        return low ? 1 : wanted;
    }

    @Override
    public void run(Trial c) {
        Forest of = Forest.of(forest, c.random());
        Segments segments = of.segments();
        Tensor[] q = low
                ? c.tensor(DType.F32, integers(c, of.rows() * h * d, 16, 25, -1), of.rows(), h, d)
                : c.tensor(DType.F32, 2, of.rows(), h, d);
        Tensor[] k = low
                ? c.tensor(DType.F32, integers(c, of.keys() * g * d, 8, 16, 1 / 8.0), of.keys(), g, d)
                : c.tensor(DType.F32, 2, of.keys(), g, d);
        // A log-sum-exp of −100 is rounded by 4e-6.
        double tolerance = Math.max(low ? 1e-5 : 0, c.tolerances().product());
        Tensor[] v = c.tensor(DType.F32, 1, of.keys(), g, d);
        Tensor[] out = c.tensor(DType.F32, 1, of.rows(), h, d);
        Tensor[] lse = c.tensor(DType.F32, 1, of.rows(), h);
        Tensor[] dOut = c.tensor(DType.F32, 1, of.rows(), h, d);
        Tensor[] dQ = c.tensor(DType.F32, 1, of.rows(), h, d);
        Tensor[] dK = c.tensor(DType.F32, 1, of.keys(), g, d);
        Tensor[] dV = c.tensor(DType.F32, 1, of.keys(), g, d);
        double scale = 1 / Math.sqrt(d);
        c.run((b, i) -> b.attentionForward(out[i], lse[i], q[i], k[i], v[i], segments, scale, window));
        c.check("out", tolerance, out, 0.5);
        c.check("lse", tolerance, lse, 1);
        c.run((b, i) -> b.attentionBackward(
                dQ[i], dK[i], dV[i], dOut[i], out[i], lse[i], q[i], k[i], v[i], segments, scale, window));
        c.check("dQ", 2 * tolerance, dQ, 0.5);
        c.check("dK", 2 * tolerance, dK, 0.5);
        c.check("dV", Math.max(c.tolerances().chain(), 2 * tolerance), dV, 0.5);
    }

    private static double[] integers(Trial c, int count, int from, int bound, double unit) {
        return c.random().ints(count, from, bound).mapToDouble(x -> x * unit).toArray();
    }

    /** Counts as others do: of scores below the diagonal, two products forward and five backward, though two are computed twice. */
    @Override
    public List<Work> work(Trial c) {
        Forest of = Forest.of(forest, c.random());
        Segments segments = of.segments();
        List<Tensor> t = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            t.add(c.tensor(DType.F32, 1, of.rows(), h, d)[0]);
        }
        for (int i = 0; i < 4; i++) {
            t.add(c.tensor(DType.F32, 1, of.keys(), g, d)[0]);
        }
        Tensor lse = c.tensor(DType.F32, 1, of.rows(), h)[0];
        double scale = 1 / Math.sqrt(d);
        double pairs = 0.5 * of.rows() * (of.rows() + 1.0) * h;
        return List.of(
                new Work("forward", 4 * pairs * d, 0, () -> c.backend()
                        .attentionForward(t.get(0), lse, t.get(1), t.get(4), t.get(5), segments, scale, 0)),
                new Work("backward", 10 * pairs * d, 0, () -> c.backend()
                        .attentionBackward(
                                t.get(2), t.get(6), t.get(7), t.get(3), t.get(0), lse, t.get(1), t.get(4), t.get(5),
                                segments, scale, 0)));
    }
}
