package org.calm4j.engine.op.simd.vec;

import static org.calm4j.engine.op.simd.vec.Vectors.FLOAT;
import static org.calm4j.engine.op.simd.vec.Vectors.LANES;
import static org.calm4j.engine.op.simd.vec.Vectors.MEMORY;

import java.lang.foreign.MemorySegment;

/**
 * The hot loops without the Vector API, for {@link ColdStart}: the same sums in the same order, to the same bits. They work on arrays, because
 * such code is fast as soon as the first compiler has compiled it.
 */
final class Plain {
    private Plain() {}

    /**
     * Sets a tile, {@code c = α·a·b}, or adds to it.
     *
     * @param width floats of one step of the left panel
     */
    static void tile(
            long c,
            long stride,
            int rows,
            int columns,
            long a,
            int width,
            long b,
            int steps,
            float alpha,
            boolean add) {
        ColdStart.count((long) rows * columns * steps);
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

    /** {@link Dot#one}. */
    static float dot(long a, long b, int count) {
        ColdStart.count(count);
        float[] x = floats(a, count);
        float[] y = floats(b, count);
        float[] sums = new float[4 * LANES];
        int i = 0;
        for (; i < (count & -4 * LANES); i++) {
            int lane = i & 4 * LANES - 1;
            sums[lane] = Math.fma(x[i], y[i], sums[lane]);
        }
        for (; i < (count & -LANES); i++) {
            int lane = i & LANES - 1;
            sums[lane] = Math.fma(x[i], y[i], sums[lane]);
        }
        for (int lane = 0; lane < LANES; lane++) {
            sums[lane] = sums[lane] + sums[lane + LANES] + (sums[lane + 2 * LANES] + sums[lane + 3 * LANES]);
        }
        float sum = sumOfLanes(sums, 8, 4, 2, 1);
        for (; i < count; i++) {
            sum += x[i] * y[i];
        }
        return sum;
    }

    /** {@link Dot#four}. */
    static void dots(long to, long a, long stride, long b, int count) {
        ColdStart.count(4L * count);
        float[] y = floats(b, count);
        for (int j = 0; j < 4; j++) {
            float[] x = floats(a + j * stride, count);
            float[] sums = new float[2 * LANES];
            int i = 0;
            for (; i < (count & -LANES); i++) {
                int lane = i & 2 * LANES - 1;
                sums[lane] = Math.fma(x[i], y[i], sums[lane]);
            }
            for (int lane = 0; lane < LANES; lane++) {
                sums[lane] += sums[lane + LANES];
            }
            float sum = sumOfLanes(sums, 1, 2, 8, 4);
            for (; i < count; i++) {
                sum = Math.fma(x[i], y[i], sum);
            }
            MEMORY.set(FLOAT, to + 4L * j, sum);
        }
    }

    /** @param distances of the lanes that are added to each other, one after another */
    static float sumOfLanes(float[] lanes, int... distances) {
        float[] sums = lanes;
        for (int distance : distances) {
            float[] next = new float[LANES];
            for (int lane = 0; lane < LANES && distance < LANES; lane++) {
                next[lane] = sums[lane] + sums[lane ^ distance];
            }
            sums = distance < LANES ? next : sums;
        }
        return sums[0];
    }

    /** {@link Mix#rows}. */
    static void mix(long out, long weight, long weightStride, long row, long stride, int count, int d, boolean add) {
        ColdStart.count((long) count * d);
        float[] sums = add ? floats(out, d) : new float[d];
        for (int i = 0; i < count; i++) {
            addRow(sums, MEMORY.get(FLOAT, weight + i * weightStride), floats(row + i * stride, d), 0);
        }
        MemorySegment.copy(sums, 0, MEMORY, FLOAT, out, d);
    }

    static float[] floats(long from, int count) {
        float[] floats = new float[count];
        MemorySegment.copy(MEMORY, FLOAT, from, floats, 0, count);
        return floats;
    }
}
