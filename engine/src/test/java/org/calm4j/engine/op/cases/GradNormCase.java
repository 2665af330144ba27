package org.calm4j.engine.op.cases;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.withinPercentage;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;

record GradNormCase(int n) implements OpCase {
    static List<OpCase> all() {
        return Arrays.stream(OpCases.SIZES).<OpCase>mapToObj(GradNormCase::new).toList();
    }

    @Override
    public int oneOf(int wanted) {
        return Math.min(wanted, OpCases.SIZES.length - 1);
    }

    @Override
    public void run(Trial c) {
        Tensor[] grad = c.tensor(DType.F32, 1, n);
        List<Double> squares = new ArrayList<>();
        c.run((b, i) -> squares.add(b.sumOfSquares(grad[i])));
        assertThat(squares.getLast()).as(c.about("sum")).isCloseTo(squares.getFirst(), withinPercentage(1e-10));
    }
}
