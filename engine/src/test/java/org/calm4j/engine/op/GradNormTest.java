package org.calm4j.engine.op;

import java.util.Random;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;
import org.apache.commons.math3.linear.ArrayRealVector;
import org.calm4j.engine.op.scalar.ScalarBackend;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

final class GradNormTest {
    private final Backend backend = new ScalarBackend(DType.F64);

    /** 1² + 2² + … + n² = n(n+1)(2n+1)/6. */
    @Test
    void squarePyramidalNumbers() {
        for (int n : new int[] {0, 1, 2, 7, 1000}) {
            Tensor x = Doubles.of(
                    IntStream.rangeClosed(1, n)
                            .mapToDouble(i -> i % 2 == 0 ? i : -i)
                            .toArray(),
                    n);
            Doubles.assertClose("n = " + n, backend.sumOfSquares(x), n * (n + 1.0) * (2.0 * n + 1) / 6);
        }
    }

    @Test
    void norm() {
        double[] values = new Random(9).doubles(37, -2, 2).toArray();
        Doubles.assertClose(
                "norm", Math.sqrt(backend.sumOfSquares(Doubles.of(values, 37))), new ArrayRealVector(values).getNorm());
    }

    /** Squares of F32 values are summed in double precision: no overflow, and many small ones count beside a large one. */
    @Test
    void floatsAreSummedInDoublePrecision() {
        Backend floats = new ScalarBackend();
        int n = 100_001;
        try (var buffer = floats.allocate(4L * n)) {
            Tensor x = new Tensor("x", buffer, 0, DType.F32, n);
            floats.write(
                    x,
                    DoubleStream.concat(
                                    DoubleStream.of(0x1p70),
                                    DoubleStream.generate(() -> 0x1p50).limit(n - 1))
                            .toArray(),
                    n);
            Doubles.assertClose("sum", floats.sumOfSquares(x) / 0x1p100, 0x1p40 + n - 1);
        }
    }

    @ParameterizedTest
    @MethodSource("oracle")
    void pytorch(Oracle oracle) {
        Tensor gradients = oracle.tensor("gradients");
        for (int step = 0; step < gradients.dim(0); step++) {
            Doubles.assertClose(
                    "norm",
                    Math.sqrt(backend.sumOfSquares(gradients.rows(step, 1))),
                    oracle.tensor("norms").get(step));
        }
    }

    static Iterable<Oracle> oracle() {
        return Oracle.cases("AdamW");
    }
}
