package org.calm4j.calm.inspect;

import java.util.Arrays;
import org.apache.commons.math3.linear.Array2DRowRealMatrix;
import org.apache.commons.math3.linear.RealMatrix;
import org.apache.commons.math3.linear.SingularValueDecomposition;
import org.calm4j.engine.random.CounterRandom;
import org.calm4j.engine.tensor.Tensor;

/**
 * The directions of a matrix's largest singular values, in columns.
 *
 * @param left (rows,k)
 * @param right (columns,k)
 */
record Subspace(RealMatrix left, RealMatrix right) {
    private static final int OVERSAMPLING = 8;
    private static final int ITERATIONS = 8;
    /** Singular values below this share of the largest are F32's rounding. */
    private static final double ROUNDING = 1e-5;

    /** Of a column's length, what the rounding of doubles leaves of a column that others span. */
    private static final double SPANNED = 1e-12;

    /**
     * By subspace iteration from random directions (Halko et al. 2011, arXiv 0909.4061, algorithm 4.4).
     *
     * @param most directions; fewer where the matrix has a lower rank, none of a matrix of zeros
     */
    static Subspace of(Tensor matrix, int most) {
        int rows = Math.toIntExact(matrix.dim(0));
        int columns = Math.toIntExact(matrix.rowSize());
        double[][] values = new double[rows][columns];
        for (int i = 0; i < rows; i++) {
            for (int j = 0; j < columns; j++) {
                values[i][j] = matrix.get((long) i * columns + j);
            }
        }
        RealMatrix x = new Array2DRowRealMatrix(values, false);
        RealMatrix transposed = x.transpose();
        int width = Math.min(most + OVERSAMPLING, Math.min(rows, columns));
        RealMatrix basis = new Array2DRowRealMatrix(columns, width);
        for (int i = 0; i < columns * width; i++) {
            basis.setEntry(i / width, i % width, CounterRandom.uniform(1, i) - 0.5);
        }
        for (int i = 0; i < ITERATIONS; i++) {
            basis = orthonormal(transposed.multiply(orthonormal(x.multiply(basis))));
        }
        RealMatrix range = orthonormal(x.multiply(basis));
        SingularValueDecomposition small = new SingularValueDecomposition(transposed.multiply(range));
        double[] singular = small.getSingularValues();
        int count = (int) Arrays.stream(singular, 0, Math.min(most, width))
                .filter(value -> value > ROUNDING * singular[0])
                .count();
        return count == 0
                ? new Subspace(null, null)
                : new Subspace(
                        range.multiply(small.getV()).getSubMatrix(0, rows - 1, 0, count - 1),
                        small.getU().getSubMatrix(0, columns - 1, 0, count - 1));
    }

    boolean isEmpty() {
        return left == null;
    }

    /** By Gram and Schmidt, twice, since once leaves rounding; a column that the ones before it span becomes 0. */
    private static RealMatrix orthonormal(RealMatrix x) {
        double[][] columns = x.transpose().getData();
        for (int i = 0; i < columns.length; i++) {
            double[] column = columns[i];
            double before = Math.sqrt(Vectors.dot(column, column));
            for (int j = 0; j < 2 * i; j++) {
                double[] other = columns[j % i];
                double share = Vectors.dot(column, other);
                Arrays.setAll(column, k -> column[k] - share * other[k]);
            }
            double norm = Math.sqrt(Vectors.dot(column, column));
            double scale = norm > SPANNED * before ? 1 / norm : 0;
            Arrays.setAll(column, k -> column[k] * scale);
        }
        return new Array2DRowRealMatrix(columns, false).transpose();
    }

    /** The principal angles between the spans of orthonormal columns, in degrees, ascending (Björck and Golub 1973, theorem 1). */
    static double[] angles(RealMatrix a, RealMatrix b) {
        return Arrays.stream(new SingularValueDecomposition(a.transpose().multiply(b)).getSingularValues())
                .map(cosine -> Math.toDegrees(Math.acos(Math.min(1, cosine))))
                .toArray();
    }

    /** The mean squared cosine of principal angles: 1 where one span is in the other, 0 where they are orthogonal. */
    static double overlap(double[] angles) {
        return Arrays.stream(angles)
                .map(angle -> Math.pow(Math.cos(Math.toRadians(angle)), 2))
                .average()
                .orElse(0);
    }
}
