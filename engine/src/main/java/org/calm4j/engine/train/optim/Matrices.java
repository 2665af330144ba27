package org.calm4j.engine.train.optim;

import java.util.stream.LongStream;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.config.Projection;
import org.calm4j.engine.config.WeightLayout;

/**
 * The matrices that lie side by side in one tensor: queries, keys and values where a family has them in one product; otherwise it is one.
 *
 * @param outputs O of each
 * @param transposed whether the tensor is (I,ΣO), so that a matrix's elements are apart, and not (ΣO,I)
 */
record Matrices(long[] outputs, long inputs, boolean transposed) {
    /**
     * @param name of a weight of the model or of its adapter
     * @param shape of two dimensions
     */
    static Matrices of(ModelConfig config, String name, long[] shape) {
        WeightLayout layout = config.layout();
        boolean transposed = layout.transposed() && config.shapes().containsKey(name);
        return new Matrices(
                isFused(config, name)
                        ? new long[] {
                            config.attention().queryWidth(),
                            config.attention().keyWidth(),
                            config.attention().keyWidth()
                        }
                        : new long[] {transposed ? shape[1] : shape[0]},
                transposed ? shape[0] : shape[1],
                transposed);
    }

    private static boolean isFused(ModelConfig config, String name) {
        if (config.layout().projections().contains(Projection.QKV)) {
            for (int layer = 0; layer < config.layers(); layer++) {
                if (name.equals(config.layout().path(layer, Projection.QKV) + ".weight")) {
                    return true;
                }
            }
        }
        return false;
    }

    /** Elements of the tensor. */
    long size() {
        return width() * inputs;
    }

    private long width() {
        return LongStream.of(outputs).sum();
    }

    /** Elements of the largest. */
    long largest() {
        return LongStream.of(outputs).max().orElseThrow() * inputs;
    }

    /** The most rows or columns of one, whichever are fewer. */
    long side() {
        return LongStream.of(outputs).map(each -> Math.min(each, inputs)).max().orElseThrow();
    }

    /** Whether the elements of a matrix are apart. */
    boolean areApart() {
        return transposed && outputs.length > 1;
    }

    /** Where they are apart, the length of the pieces that all of them consist of. */
    long piece() {
        return LongStream.of(outputs).reduce(0, Matrices::greatestDivisor);
    }

    private static long greatestDivisor(long a, long b) {
        return b == 0 ? a : greatestDivisor(b, a % b);
    }

    /** The numbers of the pieces in the tensor, matrix by matrix and row by row. */
    int[] pieces() {
        int[] pieces = new int[Math.toIntExact(size() / piece())];
        int perRow = Math.toIntExact(width() / piece());
        int next = 0;
        int first = 0;
        for (long width : outputs) {
            int count = Math.toIntExact(width / piece());
            for (int row = 0; row < inputs; row++) {
                for (int i = 0; i < count; i++) {
                    pieces[next++] = row * perRow + first + i;
                }
            }
            first += count;
        }
        return pieces;
    }
}
