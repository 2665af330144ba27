package org.calm4j.engine.op.simd.vec;

import static org.calm4j.engine.op.simd.vec.Vectors.ADDRESS;
import static org.calm4j.engine.op.simd.vec.Vectors.BYTES;
import static org.calm4j.engine.op.simd.vec.Vectors.FLOAT;
import static org.calm4j.engine.op.simd.vec.Vectors.FLOATS;
import static org.calm4j.engine.op.simd.vec.Vectors.LANES;
import static org.calm4j.engine.op.simd.vec.Vectors.MEMORY;
import static org.calm4j.engine.op.simd.vec.Vectors.ORDER;
import static org.calm4j.engine.op.simd.vec.Vectors.STRIDE;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * Packing of one panel of a product: for each of k steps the {@code width} values that a tile reads at once, one after another; what is
 * missing is zero or a copy of existing values.
 */
final class Panels {
    /** Rows and steps of a block transpose, which needs 256-bit vectors. */
    private static final int BLOCK = 8;
    /** The fewest rows for which a block transpose pays. */
    private static final int LEAST_ROWS = 6;
    /** Of one step of a right panel. */
    private static final int PANEL_BYTES = (int) (2 * BYTES);

    private static final VectorSpecies<Float> EIGHT = FloatVector.SPECIES_256;

    private Panels() {}

    /**
     * From {@code count} rows, steps one after another in each: {@code to[step][i] = from[i][step]}.
     *
     * @param spare memory for {@code 8·k} floats
     */
    static void fromRows(long to, long from, long stride, int count, int k, int width, long spare) {
        if (!ColdStart.isOver()) {
            Plain.panel(to, from, stride, count, k, width);
            return;
        }
        int i = 0;
        if (LANES >= BLOCK) {
            for (; i + LEAST_ROWS <= count; i += BLOCK) {
                blocks(to + 4L * i, from + i * stride, stride, Math.min(BLOCK, count - i), k, 4L * width);
            }
            if (i < count) {
                // In a partial panel the unused lanes hold stale data; they are never read, or their results are
                // discarded.
                for (int row = i; row < count; row++) {
                    MemorySegment.copy(MEMORY, from + row * stride, MEMORY, spare + 4L * k * (row - i), 4L * k);
                }
                blocks(to + 4L * i, spare, 4L * k, BLOCK, k, 4L * width);
                i += BLOCK;
            }
        }
        if (i < width) {
            restOfRows(to + 4L * i, from + i * stride, stride, count - i, width - i, 0, k, 4L * width);
        }
    }

    /** Six to eight rows; missing ones repeat the last, in places that no tile reads or whose results are discarded. */
    private static void blocks(long to, long from, long stride, int count, int k, long toStride) {
        int blocks = k / BLOCK;
        Transpose.blocks(
                to,
                toStride,
                from,
                stride,
                from + Math.min(6, count - 1) * stride,
                from + Math.min(7, count - 1) * stride,
                blocks);
        restOfRows(to, from, stride, count, BLOCK, blocks * BLOCK, k, toStride);
    }

    private static void restOfRows(
            long to, long from, long stride, int count, int width, int step, int k, long toStride) {
        for (; step < k; step++) {
            for (int i = 0; i < width; i++) {
                float value = i < count ? MEMORY.get(FLOAT, from + i * stride + 4L * step) : 0;
                MEMORY.set(FLOAT, to + step * toStride + 4L * i, value);
            }
        }
    }

    /** From k rows, each with {@code count} values one after another: {@code to[step][i] = from[step][i]}. */
    static void fromColumns(long to, long from, long stride, int count, int k, int width) {
        if (width == 2 * LANES) {
            // As in overlapping, but the excess writes belong to the step.
            int rest = count == width ? 0 : (int) Math.min(k, (2 * BYTES + stride - 1) / stride);
            twoVectors(to, from, stride, k - rest);
            oneByOne(to + 2 * BYTES * (k - rest), from + stride * (k - rest), stride, count, rest, width);
        } else if (width <= LANES) {
            overlapping(to, from, stride, count, k, width);
        } else {
            oneByOne(to, from, stride, count, k, width);
        }
    }

    private static void twoVectors(long to, long from, long stride, int k) {
        for (int step = 0; step < k; step++) {
            FloatVector first = FloatVector.fromMemorySegment(FLOATS, MEMORY, from, ORDER);
            FloatVector second = FloatVector.fromMemorySegment(FLOATS, MEMORY, from + BYTES, ORDER);
            first.intoMemorySegment(MEMORY, to, ORDER);
            second.intoMemorySegment(MEMORY, to + BYTES, ORDER);
            from += stride;
            to += 2 * BYTES;
        }
    }

    /** Four whole panels of two vectors at once: four times as many consecutive reads from memory. */
    static void fourFromColumns(long to, long panelBytes, long from, long stride, int k) {
        to &= ADDRESS;
        panelBytes &= STRIDE;
        long to1 = to + panelBytes;
        long to2 = to1 + panelBytes;
        long to3 = to2 + panelBytes;
        int end = (k & 0xffff) * PANEL_BYTES;
        for (int at = 0; at < end; at += PANEL_BYTES) {
            long row = from & ADDRESS;
            FloatVector.fromMemorySegment(FLOATS, MEMORY, row, ORDER).intoMemorySegment(MEMORY, to + at, ORDER);
            FloatVector.fromMemorySegment(FLOATS, MEMORY, row + BYTES, ORDER)
                    .intoMemorySegment(MEMORY, to + at + BYTES, ORDER);
            FloatVector.fromMemorySegment(FLOATS, MEMORY, row + 2 * BYTES, ORDER)
                    .intoMemorySegment(MEMORY, to1 + at, ORDER);
            FloatVector.fromMemorySegment(FLOATS, MEMORY, row + 3 * BYTES, ORDER)
                    .intoMemorySegment(MEMORY, to1 + at + BYTES, ORDER);
            FloatVector.fromMemorySegment(FLOATS, MEMORY, row + 4 * BYTES, ORDER)
                    .intoMemorySegment(MEMORY, to2 + at, ORDER);
            FloatVector.fromMemorySegment(FLOATS, MEMORY, row + 5 * BYTES, ORDER)
                    .intoMemorySegment(MEMORY, to2 + at + BYTES, ORDER);
            FloatVector.fromMemorySegment(FLOATS, MEMORY, row + 6 * BYTES, ORDER)
                    .intoMemorySegment(MEMORY, to3 + at, ORDER);
            FloatVector.fromMemorySegment(FLOATS, MEMORY, row + 7 * BYTES, ORDER)
                    .intoMemorySegment(MEMORY, to3 + at + BYTES, ORDER);
            from += stride;
        }
    }

    /** Four left panels of {@code 8} floats a step at once, each from {@code rows} columns and some of the next ones', which no tile reads. */
    static void fourLeft(long to, long panelBytes, long from, long stride, int k, int rows) {
        to &= ADDRESS;
        panelBytes &= STRIDE;
        long to1 = to + panelBytes;
        long to2 = to1 + panelBytes;
        long to3 = to2 + panelBytes;
        long width = 4L * rows & STRIDE;
        int end = (k & 0xffff) * 4 * BLOCK;
        for (int at = 0; at < end; at += 4 * BLOCK) {
            long row = from & ADDRESS;
            FloatVector.fromMemorySegment(EIGHT, MEMORY, row, ORDER).intoMemorySegment(MEMORY, to + at, ORDER);
            FloatVector.fromMemorySegment(EIGHT, MEMORY, row + width, ORDER).intoMemorySegment(MEMORY, to1 + at, ORDER);
            FloatVector.fromMemorySegment(EIGHT, MEMORY, row + 2 * width, ORDER)
                    .intoMemorySegment(MEMORY, to2 + at, ORDER);
            FloatVector.fromMemorySegment(EIGHT, MEMORY, row + 3 * width, ORDER)
                    .intoMemorySegment(MEMORY, to3 + at, ORDER);
            from += stride;
        }
    }

    /** Reads and writes a whole vector where fewer values are needed; not in the last steps, after which memory may end. */
    private static void overlapping(long to, long from, long stride, int count, int k, int width) {
        // The excess reads must be within the rows below, and the excess writes within the steps below.
        int rest = Math.min(k, (int) Math.max((LANES + width - 1) / width, (BYTES + stride - 1) / stride));
        for (int step = 0; step < k - rest; step++) {
            FloatVector.fromMemorySegment(FLOATS, MEMORY, from, ORDER).intoMemorySegment(MEMORY, to, ORDER);
            from += stride;
            to += 4L * width;
        }
        oneByOne(to, from, stride, count, rest, width);
    }

    private static void oneByOne(long to, long from, long stride, int count, int k, int width) {
        for (int step = 0; step < k; step++) {
            for (int i = 0; i < width; i++) {
                MEMORY.set(FLOAT, to + 4L * i, i < count ? MEMORY.get(FLOAT, from + 4L * i) : 0);
            }
            from += stride;
            to += 4L * width;
        }
    }
}
