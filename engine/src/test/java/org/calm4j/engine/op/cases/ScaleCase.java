package org.calm4j.engine.op.cases;

import java.util.ArrayList;
import java.util.List;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;

/** @param inPlace whether out is the memory of x, or added to */
record ScaleCase(int t, int n, boolean inPlace) implements OpCase {
    static List<OpCase> all() {
        List<OpCase> cases = new ArrayList<>();
        for (int i = 0; i < OpCases.ODD.length; i++) {
            cases.add(new ScaleCase(OpCases.ODD[i], OpCases.ODD[(3 * i + 2) % OpCases.ODD.length], i % 2 == 0));
        }
        for (int t : OpCases.MANY_ROWS) {
            cases.add(new ScaleCase(t, 3, false));
        }
        return cases;
    }

    @Override
    public int oneOf(int wanted) {
        return OpCases.isMany(t) ? 1 : wanted;
    }

    @Override
    public void run(Trial c) {
        Tensor[] x = c.tensor(DType.F32, 1, t, n);
        Tensor[] scale = c.tensor(DType.F32, 1, n);
        Tensor[] out = c.tensor(DType.F32, 1, t, n);
        Tensor[] dScale = c.tensor(DType.F32, 1, n);
        c.run((b, i) -> b.scaleBackward(dScale[i], out[i], x[i]));
        double tolerance = OpCases.isMany(t) ? c.tolerances().chain() : Tolerances.SUM;
        c.check("dScale", tolerance, dScale, Math.sqrt(t / 3.0));
        c.run((b, i) -> b.scaleForward(inPlace ? x[i] : out[i], x[i], scale[i], !inPlace));
        c.check("out", 2 * c.tolerances().rounding(), inPlace ? x : out);
    }
}
