package org.calm4j.engine.op.cases;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;

/** Products with weights that stay as they are have the same bits, however often they are read, and are those with others. */
record FrozenWeightsCase(int t, int n, int k, DType w) implements OpCase {
    static List<OpCase> all() {
        List<OpCase> cases = new ArrayList<>();
        for (int t : new int[] {3, 7, 33, 130}) {
            for (int[] size : new int[][] {{9, 7}, {17, 16}, {33, 65}, {130, 31}, {40, 1050}, {2077, 24}}) {
                for (DType type : OpCases.WEIGHTS) {
                    cases.add(new FrozenWeightsCase(t, size[0], size[1], type));
                }
            }
        }
        return cases;
    }

    /** Only the backend that is tested: the definition does not know of frozen weights. */
    @Override
    public void run(Trial c) {
        Tensor x = c.tensor(DType.F32, 1, t, k)[c.tested()];
        Tensor dOut = c.tensor(DType.F32, 1, t, n)[c.tested()];
        Tensor target = c.indices(n, t)[c.tested()];
        Tensor weight = c.tensor(w, 1, n, k)[c.tested()];
        c.run((b, i) -> {
            if (i == c.tested()) {
                products(c, b, x, weight, dOut, target);
            }
        });
    }

    private void products(Trial c, Backend b, Tensor x, Tensor weight, Tensor dOut, Tensor target) {
        Tensor frozen = new Tensor("frozen", c.allocate(b, weight.bytes()), 0, w, n, k);
        b.copy(frozen, weight);
        b.markFrozen(List.of(frozen));
        List<double[]> others = results(c, b, x, weight, dOut, target);
        List<double[]> first = results(c, b, x, frozen, dOut, target);
        List<double[]> again = results(c, b, x, frozen, dOut, target);
        double logits = Arrays.stream(first.get(4)).map(Math::abs).max().orElse(1);
        for (int i = 0; i < first.size(); i++) {
            // What differs in a logit, which is a sum of k products, differs in a probability by as much: more, the
            // larger logits are.
            double tolerance = 2 * c.tolerances().product() * (i == 2 ? Math.max(1, logits) : 1);
            c.check("result " + i, tolerance, others.get(i), first.get(i), 1);
            assertThat(again.get(i)).as(c.about("result " + i + ", again")).isEqualTo(first.get(i));
        }
    }

    /** What all products with a weight give. */
    private static List<double[]> results(Trial c, Backend b, Tensor x, Tensor w, Tensor dOut, Tensor target) {
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
        b.tokenLogProbForward(logProb, lse, null, x, w, target, null);
        b.tokenLogProbBackward(dNorm, null, logProb, x, w, target, lse, null, false);
        return Stream.of(out, dX, dNorm, logProb, lse)
                .map(tensor -> c.values(c.tested(), tensor))
                .toList();
    }
}
