package org.calm4j.engine.op.cases;

import java.util.List;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;

record SwiGluCase(int t, int f) implements TimedCase {
    static List<OpCase> all() {
        return OpCases.rows((t, f, type) -> new SwiGluCase(t, f));
    }

    @Override
    public void run(Trial c) {
        Tensor[] gate = c.tensor(DType.F32, 9, t, f);
        Tensor[] up = c.tensor(DType.F32, 2, t, f);
        Tensor[] out = c.tensor(DType.F32, 1, t, f);
        Tensor[] dOut = c.tensor(DType.F32, 1, t, f);
        c.run((b, i) -> b.swiGluForward(out[i], gate[i], up[i]));
        c.check("out", c.tolerances().rounding(), out);
        c.run((b, i) -> b.swiGluBackward(gate[i], up[i], dOut[i], gate[i], up[i]));
        // The derivative has a zero, around which its terms cancel.
        c.check("dGate in place", 2 * c.tolerances().rounding(), gate, 0.5);
        c.check("dUp in place", 2 * c.tolerances().rounding(), up);
    }

    @Override
    public List<Work> work(Trial c) {
        Tensor gate = c.tensor(DType.F32, 9, t, f)[0];
        Tensor up = c.tensor(DType.F32, 2, t, f)[0];
        Tensor out = c.tensor(DType.F32, 1, t, f)[0];
        return List.of(new Work("forward", 0, 12.0 * t * f, () -> c.backend().swiGluForward(out, gate, up)));
    }
}
