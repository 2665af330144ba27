package org.calm4j.engine.op.cases;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.calm4j.engine.op.TokenStatistic;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;

/** n rows of c elements, a vocabulary of v. */
record TokenLogProbCase(int n, int v, int c, DType w) implements OpCase {
    static List<OpCase> all() {
        List<OpCase> cases = new ArrayList<>();
        for (int i = 0; i < OpCases.ODD.length; i++) {
            for (int[] size : new int[][] {{2, 3}, {17, 16}, {129, 33}, {2077, 7}}) {
                cases.add(new TokenLogProbCase(OpCases.ODD[i], size[0], size[1], OpCases.weight(i)));
            }
        }
        cases.add(new TokenLogProbCase(515, 1030, 5, DType.F32));
        return cases;
    }

    @Override
    public void run(Trial trial) {
        double tolerance = trial.tolerances().product();
        Tensor[] x = trial.tensor(DType.F32, 2, n, c);
        Tensor[] weight = trial.tensor(w, 2, v, c);
        int[] targets = trial.random().ints(n, 0, v).toArray();
        if (trial.chunk() < v) {
            // Behind the first chunk's last logit.
            targets[n - 1] = trial.chunk();
        }
        Tensor[] target = trial.indices(targets);
        Tensor[] logProb = trial.tensor(DType.F32, 1, n);
        Tensor[] lse = trial.tensor(DType.F32, 1, n);
        Tensor[] dX = trial.tensor(DType.F32, 1, n, c);
        Tensor[] dW = trial.tensor(DType.F32, 1, v, c);
        Tensor[] coefficient = trial.tensor(DType.F32, 1, n);
        trial.run((b, i) -> b.tokenLogProbForward(logProb[i], lse[i], null, x[i], weight[i], target[i], null));
        // A sure target has log-probability zero, from logits as large as their log-sum-exp.
        trial.check("logProb", tolerance, logProb, Math.max(1, trial.largest(lse)));
        trial.check("lse", tolerance, lse, 1);
        statistics(trial, tolerance, logProb, lse, x, weight, target);
        trial.run((b, i) ->
                b.tokenLogProbBackward(dX[i], dW[i], coefficient[i], x[i], weight[i], target[i], lse[i], null, true));
        trial.check("dX", 2 * tolerance, dX, 1);
        trial.check("dW", 2 * tolerance, dW, 1);
        trial.run((b, i) ->
                b.tokenLogProbBackward(dX[i], null, coefficient[i], x[i], weight[i], target[i], lse[i], null, true));
        trial.check("dX without dW", 2 * tolerance, dX, 1);
        trial.run((b, i) -> {
            Tensor kept = trial.unset(b, b.keptLogits(n, v));
            b.tokenLogProbForward(logProb[i], lse[i], null, x[i], weight[i], target[i], kept);
            b.tokenLogProbBackward(dX[i], dW[i], coefficient[i], x[i], weight[i], target[i], lse[i], kept, false);
        });
        trial.check("logProb with kept logits", tolerance, logProb, Math.max(1, trial.largest(lse)));
        trial.check("dX with kept logits", 2 * tolerance, dX, 1);
        trial.check("dW with kept logits", 2 * tolerance, dW, 1);
    }

    /** Statistics with and without kept logits; they leave the bits of the log-probabilities as they are. */
    private void statistics(
            Trial trial,
            double tolerance,
            Tensor[] logProb,
            Tensor[] lse,
            Tensor[] x,
            Tensor[] weight,
            Tensor[] target) {
        int tested = trial.tested();
        double[] alone = trial.values(tested, logProb[tested]);
        Tensor[] statistics = trial.tensor(DType.F32, 1, n, TokenStatistic.COUNT);
        for (boolean keep : new boolean[] {false, true}) {
            trial.run((b, i) -> b.tokenLogProbForward(
                    logProb[i],
                    lse[i],
                    statistics[i],
                    x[i],
                    weight[i],
                    target[i],
                    keep ? trial.unset(b, b.keptLogits(n, v)) : null));
            assertThat(trial.values(tested, logProb[tested]))
                    .as(trial.about("logProb beside statistics"))
                    .isEqualTo(alone);
            for (TokenStatistic each : TokenStatistic.values()) {
                trial.check(
                        each + (keep ? " with kept logits" : ""),
                        tolerance,
                        column(trial.values(0, statistics[0]), each),
                        column(trial.values(tested, statistics[tested]), each),
                        Math.max(1, trial.largest(lse)));
            }
        }
    }

    private double[] column(double[] statistics, TokenStatistic of) {
        return IntStream.range(0, n)
                .mapToDouble(i -> statistics[TokenStatistic.COUNT * i + of.ordinal()])
                .toArray();
    }
}
