package org.calm4j.engine.op;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.Random;
import org.apache.commons.math3.linear.Array2DRowRealMatrix;
import org.apache.commons.math3.linear.RealMatrix;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.HostBuffer;
import org.calm4j.engine.tensor.Tensor;

/** Double-precision tensors for tests; the garbage collector frees their memory. */
public final class Doubles {
    private Doubles() {}

    public static Tensor of(double[] values, long... shape) {
        Tensor tensor = allocate(DType.F64, shape);
        for (int i = 0; i < values.length; i++) {
            tensor.set(i, values[i]);
        }
        return tensor;
    }

    /** Uniform in ±scale. */
    public static Tensor random(Random random, double scale, long... shape) {
        return of(random.doubles(Tensor.product(shape), -scale, scale).toArray(), shape);
    }

    /** Not a number everywhere: an output that must be set, wholly, and not be read. */
    public static Tensor unset(long... shape) {
        double[] values = new double[Math.toIntExact(Tensor.product(shape))];
        Arrays.fill(values, Double.NaN);
        return of(values, shape);
    }

    public static Tensor copy(Tensor x) {
        return of(array(x), x.shape());
    }

    /** I32. */
    public static Tensor indices(int... values) {
        Tensor tensor = allocate(DType.I32, values.length);
        for (int i = 0; i < values.length; i++) {
            tensor.setInt(i, values[i]);
        }
        return tensor;
    }

    private static Tensor allocate(DType type, long... shape) {
        Arena arena = Arena.ofAuto();
        long bytes = Tensor.product(shape) * type.bytes();
        return new Tensor(
                "t", new HostBuffer(arena.allocate(Math.max(1, bytes), HostBuffer.ALIGNMENT), arena), 0, type, shape);
    }

    public static double[] array(Tensor x) {
        double[] values = new double[Math.toIntExact(x.size())];
        for (int i = 0; i < values.length; i++) {
            values[i] = x.get(i);
        }
        return values;
    }

    /** Rows as a matrix of Commons Math. */
    public static RealMatrix matrix(Tensor x) {
        int columns = Math.toIntExact(x.rowSize());
        double[][] rows = new double[(int) x.dim(0)][];
        for (int i = 0; i < rows.length; i++) {
            rows[i] = Arrays.copyOfRange(array(x), i * columns, (i + 1) * columns);
        }
        return new Array2DRowRealMatrix(rows, false);
    }

    public static Tensor of(RealMatrix matrix) {
        double[] values =
                Arrays.stream(matrix.getData()).flatMapToDouble(Arrays::stream).toArray();
        return of(values, matrix.getRowDimension(), matrix.getColumnDimension());
    }

    /** {@code Σ a[i] b[i]}. */
    public static double dot(Tensor a, Tensor b) {
        double sum = 0;
        for (long i = 0; i < a.size(); i++) {
            sum += a.get(i) * b.get(i);
        }
        return sum;
    }

    /** {@code a + b}, for what an operation adds to. */
    public static Tensor plus(Tensor a, Tensor b) {
        Tensor sum = copy(a);
        for (long i = 0; i < a.size(); i++) {
            sum.set(i, a.get(i) + b.get(i));
        }
        return sum;
    }

    public static void assertClose(String what, Tensor actual, Tensor expected) {
        assertThat(actual.size()).as("%s: size", what).isEqualTo(expected.size());
        for (long i = 0; i < actual.size(); i++) {
            assertClose(what + "[" + i + "]", actual.get(i), expected.get(i));
        }
    }

    /** Equal but for the rounding of a few double-precision operations. */
    public static void assertClose(String what, double actual, double expected) {
        FiniteDifferences.assertClose(what, actual, expected, 1e-12);
    }
}
