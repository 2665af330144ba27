package org.calm4j.engine.op.cases;

import java.util.List;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;

record BiasCase(int t, int n, DType w) implements OpCase {
    static List<OpCase> all() {
        List<OpCase> cases = OpCases.rows((t, n, type) -> new BiasCase(t, n, type));
        for (int t : OpCases.MANY_ROWS) {
            cases.add(new BiasCase(t, 3, DType.F32));
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
        Tensor[] bias = c.tensor(w, 1, n);
        Tensor[] dBias = c.tensor(DType.F32, 1, n);
        c.run((b, i) -> b.biasForward(x[i], bias[i]));
        c.check("x", c.tolerances().rounding(), x);
        c.run((b, i) -> b.biasBackward(dBias[i], x[i]));
        double tolerance = OpCases.isMany(t) ? c.tolerances().chain() : Tolerances.SUM;
        c.check("dBias", tolerance, dBias, Math.sqrt(t / 3.0));
    }
}
