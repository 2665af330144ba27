package org.calm4j.engine.op.cases;

import java.util.ArrayList;
import java.util.List;
import org.calm4j.engine.op.DynamicCode;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;

/** Codes are the same everywhere, so what is left of a number has no tolerance; without signs, what is below zero becomes zero. */
record QuantizationCase(int n, boolean signed) implements OpCase {
    static List<OpCase> all() {
        List<OpCase> cases = new ArrayList<>();
        for (int n : OpCases.SIZES) {
            cases.add(new QuantizationCase(n, n % 2 == 1));
        }
        cases.add(new QuantizationCase(1000, true));
        cases.add(new QuantizationCase(40_001, false));
        return cases;
    }

    @Override
    public int oneOf(int wanted) {
        return Math.min(wanted, 3);
    }

    @Override
    public void run(Trial c) {
        Tensor[] x = c.tensor(DType.F32, 1, n);
        Tensor[] codes = c.indices(new int[Math.ceilDiv(n, 4)]);
        Tensor[] scales = c.tensor(DType.F32, 1, Math.ceilDiv(n, DynamicCode.BLOCK));
        Tensor[] back = c.tensor(DType.F32, 1, n);
        Tensor[] rounded = c.tensor(DType.BF16, 1, n);
        c.run((b, i) -> b.roundRandomly(rounded[i], x[i], 77, 5));
        c.check("rounded", 0, rounded);
        c.run((b, i) -> {
            b.quantize(codes[i], scales[i], x[i], signed);
            b.dequantize(back[i], codes[i], scales[i], signed);
        });
        c.check("scales", 0, scales);
        c.check("back", 0, back);
    }
}
