package org.calm4j.engine.op.simd;

import static org.calm4j.engine.op.simd.Vectors.FLOAT;
import static org.calm4j.engine.op.simd.Vectors.MEMORY;

import java.lang.foreign.MemorySegment;

/**
 * A product's parts without vectors, for {@link ColdStart}: the same sums in the same order, to the same bits. They work on arrays, because that code
 * is fast as soon as the first compiler is through with it.
 */
final class Plain {
    private Plain() {
    }

    /**
     * Sets a tile, {@code c = α·a·b}, or adds to it.
     *
     * @param width floats of one step of the left panel
     */
    static void tile(long c, long stride, int rows, int columns, long a, int width, long b, int steps, float alpha, boolean add) {
        float[] left = floats(a, steps * width);
        float[] right = floats(b, steps * Product.NR);
        for (int i = 0; i < rows; i++) {
            float[] sums = new float[columns];
            for (int p = 0; p < steps; p++) {
                addRow(sums, left[p * width + i], right, p * Product.NR);
            }
            long to = c + i * stride;
            float[] old = add ? floats(to, columns) : null;
            for (int j = 0; j < columns; j++) {
                sums[j] = add ? Math.fma(sums[j], alpha, old[j]) : sums[j] * alpha;
            }
            MemorySegment.copy(sums, 0, MEMORY, FLOAT, to, columns);
        }
    }

    private static void addRow(float[] sums, float x, float[] right, int from) {
        for (int j = 0; j < sums.length; j++) {
            sums[j] = Math.fma(x, right[from + j], sums[j]);
        }
    }

    /** A panel from {@code count} rows, as {@link Panels#fromRows} packs it; what is missing is zero. */
    static void panel(long to, long from, long stride, int count, int k, int width) {
        float[] panel = new float[k * width];
        for (int i = 0; i < count; i++) {
            float[] row = floats(from + i * stride, k);
            for (int step = 0; step < k; step++) {
                panel[step * width + i] = row[step];
            }
        }
        MemorySegment.copy(panel, 0, MEMORY, FLOAT, to, panel.length);
    }

    private static float[] floats(long from, int count) {
        float[] floats = new float[count];
        MemorySegment.copy(MEMORY, FLOAT, from, floats, 0, count);
        return floats;
    }
}
