package org.calm4j.engine.op.cases;

import java.util.Arrays;
import java.util.List;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;

/** Ranks of any backend add up to the same bits only if this rounds once. */
record AdditionCase(int n) implements OpCase {
    static List<OpCase> all() {
        return Arrays.stream(OpCases.SIZES).<OpCase>mapToObj(AdditionCase::new).toList();
    }

    @Override
    public int oneOf(int wanted) {
        return Math.min(wanted, OpCases.SIZES.length - 1);
    }

    @Override
    public void run(Trial c) {
        Tensor[] y = c.tensor(DType.F32, 1, n);
        Tensor[] x = c.tensor(DType.F32, 1, n);
        c.run((b, i) -> b.add(y[i], x[i]));
        c.check("y added to", 0, y);
    }
}
