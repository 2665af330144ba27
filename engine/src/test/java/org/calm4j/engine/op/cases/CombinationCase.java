package org.calm4j.engine.op.cases;

import java.util.Arrays;
import java.util.List;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;

record CombinationCase(int n) implements OpCase {
    static List<OpCase> all() {
        return Arrays.stream(OpCases.SIZES)
                .<OpCase>mapToObj(CombinationCase::new)
                .toList();
    }

    @Override
    public int oneOf(int wanted) {
        return Math.min(wanted, OpCases.SIZES.length - 1);
    }

    @Override
    public void run(Trial c) {
        Tensor[] y = c.tensor(DType.F32, 1, n);
        Tensor[] x = c.tensor(DType.F32, 1, n);
        c.run((b, i) -> b.combine(y[i], 0.999, x[i], 0.001));
        c.check("y", c.tolerances().rounding(), y);
        c.run((b, i) -> b.combine(y[i], -0.3, x[i], 1.7));
        c.check("y with other factors", 2 * c.tolerances().rounding(), y);
    }
}
