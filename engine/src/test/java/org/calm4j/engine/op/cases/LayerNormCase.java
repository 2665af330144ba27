package org.calm4j.engine.op.cases;

import java.util.ArrayList;
import java.util.List;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;

/**
 * @param epsilon where it is 1e-2, a row whose numbers are nearly equal does not magnify their rounding by more than ten
 */
record LayerNormCase(int t, int c, DType w, DType bias, double epsilon) implements OpCase {
    static List<OpCase> all() {
        List<OpCase> cases = new ArrayList<>();
        for (int i = 0; i < OpCases.ODD.length; i++) {
            for (int c : OpCases.ODD) {
                DType w = i % 2 == 0 ? DType.F32 : OpCases.weight(i);
                DType bias = i % 2 == 0 ? DType.F32 : OpCases.weight(i + 1);
                cases.add(new LayerNormCase(OpCases.ODD[i], c, w, bias, 1e-2));
            }
        }
        for (int t : OpCases.MANY_ROWS) {
            cases.add(new LayerNormCase(t, 3, DType.F32, DType.F32, 1e-5));
        }
        return cases;
    }

    @Override
    public int oneOf(int wanted) {
        return OpCases.isMany(t) ? 1 : wanted;
    }

    @Override
    public void run(Trial trial) {
        double tolerance = Tolerances.SUM;
        Tensor[] x = trial.tensor(DType.F32, 3, t, c);
        Tensor[] weight = trial.tensor(w, 1, c);
        Tensor[] shift = trial.tensor(bias, 1, c);
        Tensor[] out = trial.tensor(DType.F32, 1, t, c);
        Tensor[] mean = trial.tensor(DType.F32, 1, t);
        Tensor[] rstd = trial.tensor(DType.F32, 1, t);
        Tensor[] dX = trial.tensor(DType.F32, 1, t, c);
        Tensor[] dW = trial.tensor(DType.F32, 1, c);
        Tensor[] dBias = trial.tensor(DType.F32, 1, c);
        Tensor[] dOut = trial.tensor(DType.F32, 1, t, c);
        Tensor[] residual = trial.tensor(DType.F32, 3, t, c);
        trial.run((b, i) -> b.layerNormForward(out[i], mean[i], rstd[i], x[i], null, weight[i], shift[i], epsilon));
        trial.check("out", tolerance, out, magnified(trial, rstd));
        trial.check("mean", tolerance, mean, 1);
        trial.check("rstd", tolerance, rstd);
        trial.run((b, i) ->
                b.layerNormForward(out[i], mean[i], rstd[i], x[i], residual[i], weight[i], shift[i], epsilon));
        trial.check("x with residual", 0, x);
        trial.check("out with residual", tolerance, out, magnified(trial, rstd));
        trial.check("mean with residual", tolerance, mean, 1);
        trial.check("rstd with residual", tolerance, rstd);
        trial.run((b, i) -> b.layerNormBackward(dX[i], dW[i], dBias[i], dOut[i], x[i], weight[i], mean[i], rstd[i]));
        double terms = trial.largest(rstd);
        double rows = OpCases.isMany(t) ? trial.tolerances().chain() : tolerance;
        trial.check("dX", tolerance, dX, terms);
        trial.check("dW", rows, dW, Math.sqrt(t / 3.0) * magnified(trial, rstd));
        trial.check("dBias", rows, dBias, Math.sqrt(t / 3.0));
        trial.run((b, i) -> b.layerNormBackward(dX[i], null, null, dOut[i], x[i], weight[i], mean[i], rstd[i]));
        trial.check("dX without dW", tolerance, dX, terms);
    }

    /** The mean of numbers up to 6 is rounded by 3e-7 or so, and rstd, up to 1/√ε, magnifies that in what is normalised. */
    private static double magnified(Trial trial, Tensor[] rstd) {
        return Math.max(1, trial.largest(rstd) / 2);
    }
}
