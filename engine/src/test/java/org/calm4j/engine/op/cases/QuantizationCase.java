package org.calm4j.engine.op.cases;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;
import org.calm4j.engine.op.DynamicCode;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;

/** Codes are the same everywhere, so what is left of a number has no tolerance; without signs, what is below zero becomes zero. */
record QuantizationCase(int n, boolean signed) implements OpCase {
    private static final int CODES = 256;

    static List<OpCase> all() {
        List<OpCase> cases = new ArrayList<>();
        for (int n : OpCases.SIZES) {
            cases.add(new QuantizationCase(n, n % 2 == 1));
        }
        cases.add(new QuantizationCase(1000, true));
        cases.add(new QuantizationCase(40_001, false));
        cases.add(new Ties(true));
        cases.add(new Ties(false));
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

    /** Numbers in the middle of two values become the lower one. */
    record Ties(boolean signed) implements OpCase {
        @Override
        public void run(Trial c) {
            DynamicCode code = DynamicCode.of(signed);
            double[] middles = IntStream.range(0, CODES - 1)
                    .filter(lower ->
                            middle(code, lower) - code.value(lower) == code.value(lower + 1) - middle(code, lower))
                    .mapToDouble(lower -> middle(code, lower))
                    .limit(DynamicCode.BLOCK - 1)
                    .toArray();
            // The largest one is the scale.
            double[] values = DoubleStream.concat(DoubleStream.of(1), DoubleStream.of(middles))
                    .toArray();
            Tensor[] x = c.tensor(DType.F32, values, values.length);
            Tensor[] codes = c.indices(new int[Math.ceilDiv(values.length, 4)]);
            Tensor[] scales = c.tensor(DType.F32, 1, 1);
            Tensor[] back = c.tensor(DType.F32, 1, values.length);
            c.run((b, i) -> {
                b.quantize(codes[i], scales[i], x[i], signed);
                b.dequantize(back[i], codes[i], scales[i], signed);
            });
            c.check("back", 0, back);
        }

        private static float middle(DynamicCode code, int lower) {
            return (float) ((code.value(lower) + (double) code.value(lower + 1)) / 2);
        }
    }
}
