package org.calm4j.engine.op.cases;

import java.util.List;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;

/** @param scale of x: beyond 5 or so the function is x or nothing, and beyond 44 its exponential leaves F32 */
record GeluCase(int t, int f, int scale) implements TimedCase {
    static List<OpCase> all() {
        return OpCases.rows((t, f, type) -> new GeluCase(t, f, t % 2 == 0 ? 60 : 4));
    }

    @Override
    public void run(Trial c) {
        double tolerance = 2 * c.tolerances().rounding();
        Tensor[] x = c.tensor(DType.F32, scale, t, f);
        Tensor[] out = c.tensor(DType.F32, 1, t, f);
        Tensor[] dOut = c.tensor(DType.F32, 1, t, f);
        c.run((b, i) -> b.geluForward(out[i], x[i]));
        c.check("out", tolerance, out, 1);
        c.run((b, i) -> b.geluBackward(out[i], dOut[i], x[i]));
        c.check("dX", tolerance, out, 1);
        c.run((b, i) -> b.geluBackward(x[i], dOut[i], x[i]));
        c.check("dX in place of x", tolerance, x, 1);
        c.run((b, i) -> b.geluBackward(dOut[i], dOut[i], out[i]));
        c.check("dX in place of dOut", tolerance, dOut, 1);
    }

    /** Of one element it is the time of a launch. */
    @Override
    public List<Work> work(Trial c) {
        Tensor x = c.tensor(DType.F32, scale, t, f)[0];
        return List.of(new Work("forward", 0, 8.0 * t * f, () -> c.backend().geluForward(x, x)));
    }
}
