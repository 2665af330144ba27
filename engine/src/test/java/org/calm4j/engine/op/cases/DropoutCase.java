package org.calm4j.engine.op.cases;

import java.util.Arrays;
import java.util.List;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;

record DropoutCase(int n, double p) implements OpCase {
    static List<OpCase> all() {
        return Arrays.stream(OpCases.SIZES)
                .<OpCase>mapToObj(n -> new DropoutCase(n, 0.3))
                .toList();
    }

    @Override
    public int oneOf(int wanted) {
        return Math.min(wanted, OpCases.SIZES.length - 1);
    }

    @Override
    public void run(Trial c) {
        Tensor[] x = c.tensor(DType.F32, 1, n);
        Tensor[] out = c.tensor(DType.F32, 1, n);
        c.run((b, i) -> b.dropout(out[i], x[i], p, 42, true));
        c.check("out added to", c.tolerances().rounding(), out, 1);
        c.run((b, i) -> b.dropout(out[i], x[i], p, 43, false));
        c.check("out set", c.tolerances().rounding(), out);
    }
}
