package org.calm4j.engine.op.cases;

import java.util.ArrayList;
import java.util.List;
import org.calm4j.engine.op.AdamW;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;

/** One launch, or many, give the same as a step for each tensor; the third tensor's size is that of several blocks. */
record AdamWOfManyCase(int tensors) implements OpCase {
    private static final int[] SIZES = {1, 130, 20_001, 64};
    private static final double[] DECAY = {0, 0.1, 0.3, 0};

    static List<OpCase> all() {
        return List.of(new AdamWOfManyCase(SIZES.length));
    }

    @Override
    public void run(Trial c) {
        List<Tensor[]> w = new ArrayList<>();
        List<Tensor[]> m = new ArrayList<>();
        List<Tensor[]> v = new ArrayList<>();
        List<Tensor[]> grad = new ArrayList<>();
        for (int i = 0; i < tensors; i++) {
            w.add(c.tensor(DType.F32, 1, SIZES[i]));
            m.add(c.tensor(DType.F32, 0, SIZES[i]));
            v.add(c.tensor(DType.F32, 0, SIZES[i]));
            grad.add(c.tensor(DType.F32, 1, SIZES[i]));
        }
        for (int step = 1; step <= 2; step++) {
            int at = step;
            c.run((b, i) -> b.adamW(of(i, w), of(i, m), of(i, v), of(i, grad), AdamW.DEFAULT, 1e-2, DECAY, 0.3, at));
        }
        w.forEach(pair -> c.check("w of " + pair[0].size(), 3 * c.tolerances().rounding(), pair));
    }

    private static List<Tensor> of(int backend, List<Tensor[]> tensors) {
        return tensors.stream().map(pair -> pair[backend]).toList();
    }
}
