package org.calm4j.engine.op.cases;

import java.util.ArrayList;
import java.util.List;
import org.calm4j.engine.op.Segments;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;

/**
 * New tokens over keys and values of the type that caches have; sums are F32, so that nothing is lost but what rounding the cache itself
 * cost.
 *
 * @param sequences 4: longer than what one block reads, more heads in a group than are done together, some in several pieces, the last row the
 *     cache's last; more: each of as many keys as the others, for timing
 * @param keys rows of the cache
 */
record AttentionOverACacheCase(int sequences, int keys, int h, int g, int d, int window) implements TimedCase {
    private static final int KEYS = 210;

    static List<OpCase> all() {
        List<OpCase> cases = new ArrayList<>();
        for (int[] size : new int[][] {
            {1, 1, 2}, {2, 1, 6}, {4, 2, 8}, {5, 1, 16}, {2, 2, 80}, {6, 1, 64}, {3, 3, 33}, {4, 2, 128}, {2, 1, 160}
        }) {
            for (int window : new int[] {0, 1, 3, 130}) {
                cases.add(new AttentionOverACacheCase(4, KEYS, size[0], size[1], size[2], window));
            }
        }
        return cases;
    }

    @Override
    public int oneOf(int wanted) {
        return Math.min(wanted, 3);
    }

    @Override
    public void run(Trial c) {
        Segments segments = new Segments();
        int prompt = segments.add(0, 0, 30, 5, Segments.NONE);
        int more = segments.add(0, 0, 60, 127, prompt);
        segments.add(0, 1, 5, 3, prompt);
        segments.add(1, 1, 190, 20, more);
        segments.add(2, 1, 12, 4, Segments.NONE);
        segments.add(3, 1, 0, 1, more);
        DType type = c.backend().cacheType(d);
        Tensor[] q = c.tensor(DType.F32, 2, sequences, h, d);
        Tensor[] k = c.tensor(type, 2, keys, g, d);
        Tensor[] v = c.tensor(type, 1, keys, g, d);
        Tensor[] out = c.tensor(DType.F32, 1, sequences, h, d);
        Tensor[] lse = c.tensor(DType.F32, 1, sequences, h);
        double scale = 1 / Math.sqrt(d);
        c.run((b, i) -> b.attentionForward(out[i], lse[i], q[i], k[i], v[i], segments, scale, window));
        c.check("out", Tolerances.SUM, out, 0.5);
        c.check("lse", Tolerances.SUM, lse, 1);
        // A prompt behind one: its queries are rounded like any product's operands.
        Segments behind = new Segments();
        behind.add(0, sequences, 7, 100, Segments.NONE);
        c.run((b, i) -> b.attentionForward(out[i], lse[i], q[i], k[i], v[i], behind, scale, window));
        c.check("out of a prompt", c.tolerances().product(), out, 0.5);
        c.check("lse of a prompt", c.tolerances().product(), lse, 1);
    }

    @Override
    public List<Work> work(Trial c) {
        DType type = c.backend().cacheType(d);
        Tensor q = c.tensor(DType.F32, 1, sequences, h, d)[0];
        Tensor k = c.tensor(type, 1, keys, g, d)[0];
        Tensor v = c.tensor(type, 1, keys, g, d)[0];
        Tensor out = c.tensor(DType.F32, 1, sequences, h, d)[0];
        Tensor lse = c.tensor(DType.F32, 1, sequences, h)[0];
        Segments segments = new Segments();
        int length = keys / sequences;
        for (int s = 0; s < sequences; s++) {
            segments.add(s, 1, s * length, length, Segments.NONE);
        }
        double pairs = (double) sequences * length * h;
        return List.of(
                new Work("step", 4 * pairs * d, 2.0 * sequences * length * g * d * type.bytes(), () -> c.backend()
                        .attentionForward(out, lse, q, k, v, segments, 1 / Math.sqrt(d), window)));
    }
}
