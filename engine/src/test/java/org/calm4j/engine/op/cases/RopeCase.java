package org.calm4j.engine.op.cases;

import java.util.ArrayList;
import java.util.List;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;

/** Three heads of d elements, the first {@code turned} of which turn. */
record RopeCase(int t, int d, int turned) implements OpCase {
    static List<OpCase> all() {
        List<OpCase> cases = new ArrayList<>();
        for (int t : OpCases.ODD) {
            for (int[] size : new int[][] {{2, 2}, {6, 6}, {16, 16}, {34, 34}, {64, 64}, {7, 4}, {64, 20}, {65, 64}}) {
                cases.add(new RopeCase(t, size[0], size[1]));
            }
        }
        return cases;
    }

    @Override
    public void run(Trial c) {
        Tensor[] x = c.tensor(DType.F32, 3, t, 3, d);
        Tensor[] cosine = c.tensor(DType.F32, 1, 9, turned / 2);
        Tensor[] sine = c.tensor(DType.F32, 1, 9, turned / 2);
        Tensor[] position = c.indices(9, t);
        c.run((b, i) -> b.ropeForward(x[i], cosine[i], sine[i], position[i]));
        c.check("x", c.tolerances().rounding(), x);
        c.run((b, i) -> b.ropeBackward(x[i], cosine[i], sine[i], position[i]));
        c.check("dX", 2 * c.tolerances().rounding(), x);
    }
}
