package org.calm4j.engine.op.cases;

import java.util.Arrays;
import java.util.List;
import org.calm4j.engine.op.AdamW;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;

record AdamWCase(int n) implements TimedCase {
    static List<OpCase> all() {
        return Arrays.stream(OpCases.SIZES).<OpCase>mapToObj(AdamWCase::new).toList();
    }

    @Override
    public int oneOf(int wanted) {
        return Math.min(wanted, OpCases.SIZES.length - 1);
    }

    @Override
    public void run(Trial c) {
        Tensor[] w = c.tensor(DType.F32, 1, n);
        Tensor[] grad = c.tensor(DType.F32, 1, n);
        Tensor[] m = c.tensor(DType.F32, 0, n);
        Tensor[] v = c.tensor(DType.F32, 0, n);
        for (int step = 1; step <= 3; step++) {
            int at = step;
            c.run((b, i) -> b.adamW(w[i], m[i], v[i], grad[i], AdamW.DEFAULT, 1e-2, 0.1, 0.3, at));
        }
        c.check("w", 3 * c.tolerances().rounding(), w);
        c.check("m", 2 * c.tolerances().rounding(), m);
        c.check("v", 3 * c.tolerances().rounding(), v);
    }

    @Override
    public List<Work> work(Trial c) {
        Tensor w = c.tensor(DType.F32, 1, n)[0];
        Tensor grad = c.tensor(DType.F32, 1, n)[0];
        Tensor m = c.tensor(DType.F32, 0, n)[0];
        Tensor v = c.tensor(DType.F32, 0, n)[0];
        return List.of(
                new Work("step", 0, 28.0 * n, () -> c.backend().adamW(w, m, v, grad, AdamW.DEFAULT, 1e-3, 0.1, 1, 5)));
    }
}
