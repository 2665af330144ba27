package org.calm4j.engine.inspect;

import java.util.BitSet;
import java.util.stream.IntStream;

/**
 * A change of the values at a hook point: {@code x = factor · x + offset} for the elements that {@code where} names. The gradient of what
 * it was given is that of what it made, times the factor.
 *
 * @param offset one value for all elements; one for each element of a row, the same in all rows; or one for each element; empty for 0
 */
public record Edit(double factor, double[] offset, Where where) {
    /**
     * Elements of a value (rows, columns) or (rows, heads, columns).
     *
     * @param rows positions in the text; null for all
     * @param heads null for all; where there are none, neurons or dimensions are columns
     * @param columns null for all
     */
    public record Where(BitSet rows, BitSet heads, BitSet columns) {
        public static final Where EVERYWHERE = new Where(null, null, null);

        public static Where row(int... rows) {
            return new Where(set(rows), null, null);
        }

        public static Where head(int... heads) {
            return new Where(null, set(heads), null);
        }

        /** A neuron of {@code mlp.hook_post}, or a dimension of the stream. */
        public static Where column(int... columns) {
            return new Where(null, null, set(columns));
        }

        /** The first position that it has a part in; those before it are left as they are. */
        int firstRow() {
            return rows == null ? 0 : Math.max(0, rows.nextSetBit(0));
        }

        private static BitSet set(int... indices) {
            BitSet set = new BitSet();
            IntStream.of(indices).forEach(set::set);
            return set;
        }

        private static boolean has(BitSet set, int index) {
            return set == null || set.get(index);
        }
    }

    /** Puts 0 in the place of the values. */
    public static Edit zero(Where where) {
        return new Edit(0, new double[0], where);
    }

    /** Puts other values in their place: a mean of a row's size, the same in all rows, or another run's, of the whole size. */
    public static Edit replace(double[] values, Where where) {
        return new Edit(0, values, where);
    }

    /** Adds a vector to each row, as steering does. */
    public static Edit add(double[] vector, Where where) {
        return new Edit(1, vector, where);
    }

    /** Multiplies by a factor. */
    public static Edit scale(double factor, Where where) {
        return new Edit(factor, new double[0], where);
    }

    /** Changes a value of this shape. */
    void value(double[] x, long[] shape) {
        check(x.length, shape);
        each(x.length, shape, i -> x[i] = (factor == 0 ? 0 : factor * x[i]) + offset(i, x.length));
    }

    /** Turns the gradient of the result into that of the input. */
    void gradient(double[] d, long[] shape) {
        each(d.length, shape, i -> d[i] = factor == 0 ? 0 : factor * d[i]);
    }

    private double offset(int i, int size) {
        return offset.length == 0 ? 0 : offset[offset.length == size ? i : i % offset.length];
    }

    private void check(int size, long[] shape) {
        int row = (int) (size / shape[0]);
        if (offset.length > 1 && offset.length != row && offset.length != size) {
            throw new IllegalArgumentException(
                    "an edit of " + offset.length + " values at a point with rows of " + row);
        }
    }

    private void each(int size, long[] shape, java.util.function.IntConsumer change) {
        int columns = (int) shape[shape.length - 1];
        int heads = shape.length == 3 ? (int) shape[1] : 1;
        for (int i = 0; i < size; i++) {
            int head = i / columns % heads;
            if (Where.has(where.rows, i / columns / heads)
                    && Where.has(where.heads, head)
                    && Where.has(where.columns, i % columns)) {
                change.accept(i);
            }
        }
    }
}
