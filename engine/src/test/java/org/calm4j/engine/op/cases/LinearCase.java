package org.calm4j.engine.op.cases;

import java.util.ArrayList;
import java.util.List;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;

/** Products: x (t,k), w (n,k). */
record LinearCase(int t, int n, int k, DType w) implements TimedCase {
    static List<OpCase> all() {
        List<OpCase> cases = new ArrayList<>();
        for (int t : OpCases.ODD) {
            for (int[] size : new int[][] {{1, 1}, {3, 7}, {17, 16}, {33, 65}, {130, 31}, {16, 300}, {1050, 9}}) {
                for (DType type : OpCases.WEIGHTS) {
                    cases.add(new LinearCase(t, size[0], size[1], type));
                }
            }
        }
        cases.add(new LinearCase(64, 64, 1000, DType.F32));
        return cases;
    }

    @Override
    public void run(Trial c) {
        double tolerance = c.tolerances().product();
        // A uniform number in [-1,1] has the root mean square 1/√3.
        double typical = Math.sqrt(k) / 3;
        double typicalInput = typical * Math.sqrt(n / 3.0);
        double typicalWeight = typical * Math.sqrt(t / 3.0);
        Tensor[] x = c.tensor(DType.F32, 1, t, k);
        Tensor[] weight = c.tensor(w, 1, n, k);
        Tensor[] out = c.tensor(DType.F32, 1, t, n);
        Tensor[] dX = c.tensor(DType.F32, 1, t, k);
        Tensor[] dW = c.tensor(DType.F32, 1, n, k);
        c.run((b, i) -> b.linearForward(out[i], x[i], weight[i], 0.7, false));
        c.check("out set", tolerance, out, 0.7 * typical);
        c.run((b, i) -> b.linearForward(out[i], x[i], weight[i], -1, true));
        c.check("out added to", tolerance, out, typical);
        c.run((b, i) -> b.linearBackwardInput(dX[i], out[i], weight[i], 1, true));
        c.check("dX added to", tolerance, dX, typicalInput);
        c.run((b, i) -> b.linearBackwardInput(dX[i], out[i], weight[i], 2, false));
        c.check("dX set", tolerance, dX, 2 * typicalInput);
        c.run((b, i) -> b.linearBackwardWeight(dW[i], out[i], x[i], 0.5, true));
        c.check("dW added to", tolerance, dW, 0.5 * typicalWeight);
        c.run((b, i) -> b.linearBackwardWeight(dW[i], out[i], x[i], -2, false));
        c.check("dW set", tolerance, dW, 2 * typicalWeight);
    }

    @Override
    public List<Work> work(Trial c) {
        Tensor x = c.tensor(DType.F32, 1, t, k)[0];
        Tensor weight = c.tensor(w, 1, n, k)[0];
        Tensor out = c.tensor(DType.F32, 1, t, n)[0];
        return List.of(
                new Work("forward", 2.0 * t * n * k, 0, () -> c.backend().linearForward(out, x, weight, 1, false)));
    }
}
