package org.calm4j.engine.op.cases;

import java.util.List;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;

/** Into a table of F32, and of the type that caches have. */
record ScatterCase(int t, int c) implements OpCase {
    static List<OpCase> all() {
        return OpCases.rows((t, c, type) -> new ScatterCase(t, c));
    }

    @Override
    public void run(Trial trial) {
        int[] rows = trial.random().ints(0, 2 * t + 3).distinct().limit(t).toArray();
        Tensor[] index = trial.indices(rows);
        Tensor[] from = trial.tensor(DType.F32, 1, t, c);
        for (DType type : List.of(DType.F32, trial.backend().cacheType(16))) {
            Tensor[] to = trial.tensor(type, 1, 2 * t + 3, c);
            trial.run((b, i) -> b.scatter(to[i], from[i], index[i]));
            trial.check("to " + type, 0, to);
        }
    }
}
