package org.calm4j.engine.train.optim;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.stream.IntStream;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.simd.SimdBackend;
import org.calm4j.engine.random.CounterRandom;
import org.calm4j.engine.tensor.Buffer;
import org.calm4j.engine.tensor.Tensor;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What makes the momentum of a matrix nearly orthogonal. */
final class NewtonSchulzTest {
    /** Wide, tall, square, of one row, and as small as gradients may be. */
    @ParameterizedTest
    @CsvSource({"5,40,1", "40,5,1", "17,16,1", "12,30,1e-6", "1,9,1e4", "64,96,0.01"})
    void singularValuesComeNearOne(int rows, int columns, double size) {
        try (Backend backend = new SimdBackend(2);
                Buffer memory = backend.allocate(4L * rows * columns);
                NewtonSchulz newtonSchulz = new NewtonSchulz(backend, (long) rows * columns, Math.min(rows, columns))) {
            Tensor x = new Tensor("x", memory, 0, backend.computeType(), rows, columns);
            // No singular value is near 0: a random matrix beside the identity.
            double[] values = IntStream.range(0, rows * columns)
                    .mapToDouble(i -> size
                            * (0.5 * CounterRandom.normal(7, i) / Math.sqrt(Math.max(rows, columns))
                                    + (i / columns == i % columns ? 1 : 0)))
                    .toArray();
            backend.write(x, values, values.length);
            newtonSchulz.apply(x, 1);
            double[] singular = singularValues(x);
            assertThat(singular).hasSize(Math.min(rows, columns));
            assertThat(Arrays.stream(singular).min().orElseThrow()).isGreaterThan(0.68);
            assertThat(Arrays.stream(singular).max().orElseThrow()).isLessThan(1.14);
        }
    }

    /** By one-sided Jacobi rotations (Hestenes 1958). */
    private static double[] singularValues(Tensor x) {
        boolean wide = x.dim(0) <= x.dim(1);
        int count = (int) (wide ? x.dim(0) : x.dim(1));
        int length = (int) x.size() / count;
        double[][] vectors = new double[count][length];
        for (int i = 0; i < count; i++) {
            for (int j = 0; j < length; j++) {
                vectors[i][j] = x.get(wide ? i * x.dim(1) + j : j * x.dim(1) + i);
            }
        }
        for (int sweep = 0; sweep < 30; sweep++) {
            for (int p = 0; p < count; p++) {
                for (int q = p + 1; q < count; q++) {
                    rotate(vectors[p], vectors[q]);
                }
            }
        }
        return Arrays.stream(vectors)
                .mapToDouble(each -> Math.sqrt(dot(each, each)))
                .toArray();
    }

    private static void rotate(double[] p, double[] q) {
        double mixed = dot(p, q);
        if (mixed == 0) {
            return;
        }
        double zeta = (dot(q, q) - dot(p, p)) / (2 * mixed);
        double t = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.hypot(1, zeta));
        double cosine = 1 / Math.hypot(1, t);
        for (int i = 0; i < p.length; i++) {
            double old = p[i];
            p[i] = cosine * (old - t * q[i]);
            q[i] = cosine * (q[i] + t * old);
        }
    }

    private static double dot(double[] a, double[] b) {
        return IntStream.range(0, a.length).mapToDouble(i -> a[i] * b[i]).sum();
    }
}
