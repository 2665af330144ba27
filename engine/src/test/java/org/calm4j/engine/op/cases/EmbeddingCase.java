package org.calm4j.engine.op.cases;

import java.util.List;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;

/** Rows (t) of a table of 11. */
record EmbeddingCase(int t, int c, DType w) implements OpCase {
    static List<OpCase> all() {
        return OpCases.rows((t, c, type) -> new EmbeddingCase(t, c, type));
    }

    @Override
    public void run(Trial trial) {
        Tensor[] table = trial.tensor(w, 1, 11, c);
        Tensor[] index = trial.indices(11, t);
        Tensor[] out = trial.tensor(DType.F32, 1, t, c);
        Tensor[] dTable = trial.tensor(DType.F32, 1, 11, c);
        trial.run((b, i) -> b.embeddingForward(out[i], table[i], index[i], false));
        trial.check("out", 0, out);
        trial.run((b, i) -> b.embeddingForward(out[i], table[i], index[i], true));
        trial.check("out added to", trial.tolerances().rounding(), out);
        trial.run((b, i) -> b.embeddingBackward(dTable[i], out[i], index[i]));
        trial.check("dTable", trial.tolerances().rounding(), dTable);
    }
}
