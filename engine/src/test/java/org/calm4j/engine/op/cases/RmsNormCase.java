package org.calm4j.engine.op.cases;

import java.util.ArrayList;
import java.util.List;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;

record RmsNormCase(int t, int c, DType w) implements TimedCase {
    static List<OpCase> all() {
        List<OpCase> cases = OpCases.rows((t, c, type) -> new RmsNormCase(t, c, type));
        for (int t : OpCases.MANY_ROWS) {
            cases.add(new RmsNormCase(t, 3, DType.F32));
        }
        return cases;
    }

    @Override
    public int oneOf(int wanted) {
        return OpCases.isMany(t) ? 1 : wanted;
    }

    @Override
    public void run(Trial trial) {
        double tolerance = trial.tolerances().rounding();
        Tensor[] x = trial.tensor(DType.F32, 3, t, c);
        Tensor[] weight = trial.tensor(w, 1, c);
        Tensor[] out = trial.tensor(DType.F32, 1, t, c);
        Tensor[] rstd = trial.tensor(DType.F32, 1, t);
        Tensor[] dX = trial.tensor(DType.F32, 1, t, c);
        Tensor[] dW = trial.tensor(DType.F32, 1, c);
        Tensor[] dOut = trial.tensor(DType.F32, 1, t, c);
        Tensor[] residual = trial.tensor(DType.F32, 3, t, c);
        trial.run((b, i) -> b.rmsNormForward(out[i], rstd[i], x[i], null, weight[i], 1e-5));
        // Two roundings more than rstd has.
        trial.check("out", 1.5 * tolerance, out);
        trial.check("rstd", tolerance, rstd);
        trial.run((b, i) -> b.rmsNormForward(out[i], rstd[i], x[i], residual[i], weight[i], 1e-5));
        trial.check("x with residual", 0, x);
        trial.check("out with residual", 1.5 * tolerance, out);
        trial.check("rstd with residual", tolerance, rstd);
        trial.run((b, i) -> b.rmsNormBackward(dX[i], dW[i], dOut[i], x[i], weight[i], rstd[i]));
        // For a row near zero, r is large and the terms of dX cancel.
        double terms = trial.largest(rstd);
        trial.check("dX", Tolerances.SUM, dX, terms);
        trial.check("dW", OpCases.isMany(t) ? trial.tolerances().chain() : Tolerances.SUM, dW, Math.sqrt(t / 3.0));
        trial.run((b, i) -> b.rmsNormBackward(dX[i], null, dOut[i], x[i], weight[i], rstd[i]));
        trial.check("dX without dW", Tolerances.SUM, dX, terms);
    }

    @Override
    public List<Work> work(Trial trial) {
        Tensor x = trial.tensor(DType.F32, 3, t, c)[0];
        Tensor residual = trial.tensor(DType.F32, 3, t, c)[0];
        Tensor out = trial.tensor(DType.F32, 1, t, c)[0];
        Tensor weight = trial.tensor(w, 1, c)[0];
        Tensor rstd = trial.tensor(DType.F32, 1, t)[0];
        double bytes = 4.0 * t * c;
        List<Work> work = new ArrayList<>();
        work.add(new Work(
                "forward", 0, 2 * bytes, () -> trial.backend().rmsNormForward(out, rstd, x, null, weight, 1e-5)));
        work.add(new Work("forward with residual", 0, 4 * bytes, () -> trial.backend()
                .rmsNormForward(out, rstd, x, residual, weight, 1e-5)));
        return work;
    }
}
