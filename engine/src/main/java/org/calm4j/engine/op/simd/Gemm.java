package org.calm4j.engine.op.simd;

import static org.calm4j.engine.op.simd.Lanes.ALL;
import static org.calm4j.engine.op.simd.Lanes.FLOAT;
import static org.calm4j.engine.op.simd.Lanes.LANES;
import static org.calm4j.engine.op.simd.Lanes.ORDER;
import static org.calm4j.engine.op.simd.Lanes.SHORT;
import static org.calm4j.engine.op.simd.Lanes.SPECIES;
import static org.calm4j.engine.op.simd.Lanes.WIDTH;

import jdk.incubator.vector.FloatVector;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.HostBuffer;

/**
 * {@code C = α·A·B} for any strides of A and B, as GotoBLAS does it (Goto &amp; van de Geijn 2008): B in panels of two vectors' columns, packed
 * so that a panel of {@code DEPTH} rows stays in the first-level cache; tiles of 6 rows by two vectors kept in registers. A is read where
 * it lies. Each element of C is summed in the order of k, in blocks of {@code DEPTH}, whatever the tile it falls into.
 */
final class Gemm {
    private static final int ROWS = 6;
    private static final int COLUMNS = 2 * LANES;
    private static final int DEPTH = 256;
    /** Columns of B that are packed at a time. */
    private static final int BLOCK = 1024;
    /** A task: so many rows of C by so many columns. */
    private static final int TASK_ROWS = 8 * ROWS;
    private static final int TASK_COLUMNS = 8 * COLUMNS;

    private final WorkerPool pool;
    private final HostBuffer packed = new HostBuffer(4L * DEPTH * (BLOCK + COLUMNS));
    /** For each row-and-column task's edge tile. */
    private final HostBuffer edges;

    Gemm(WorkerPool pool) {
        this.pool = pool;
        edges = new HostBuffer((long) pool.threads() * ROWS * COLUMNS * 4);
    }

    /**
     * A matrix by its address and strides, in elements; element (i,j) lies at {@code i·row + j·column}.
     *
     * @param type F32 for A and C; any floating type for B
     */
    record Matrix(long address, DType type, long row, long column) {
        static Matrix rows(long address, long width) {
            return new Matrix(address, DType.F32, width, 1);
        }

        Matrix transposed() {
            return new Matrix(address, type, column, row);
        }
    }

    /** Sets, or adds to, C (m,n), whose rows are dense; A (m,k), B (k,n). */
    void multiply(Matrix c, Matrix a, Matrix b, int m, int n, int k, float alpha, boolean add) {
        for (int n0 = 0; n0 < n; n0 += BLOCK) {
            int columns = Math.min(BLOCK, n - n0);
            for (int k0 = 0; k0 < k || k0 == 0; k0 += DEPTH) {
                int depth = Math.min(DEPTH, k - k0);
                block(c, a, b, m, n0, columns, k0, depth, alpha, add || k0 > 0);
            }
        }
    }

    private void block(Matrix c, Matrix a, Matrix b, int m, int n0, int columns, int k0, int depth, float alpha, boolean add) {
        int panels = (columns + COLUMNS - 1) / COLUMNS;
        long to = packed.segment().address();
        pool.run(panels, p -> pack(to + 4L * p * depth * COLUMNS, b, k0, depth, n0 + p * COLUMNS, Math.min(COLUMNS, columns - p * COLUMNS)));
        int rowTasks = (m + TASK_ROWS - 1) / TASK_ROWS;
        int columnTasks = (columns + TASK_COLUMNS - 1) / TASK_COLUMNS;
        int threads = pool.threads();
        pool.run(rowTasks * columnTasks, task -> {
            int m0 = task / columnTasks * TASK_ROWS;
            int first = task % columnTasks * (TASK_COLUMNS / COLUMNS);
            int last = Math.min(panels, first + TASK_COLUMNS / COLUMNS);
            long edge = edges.segment().address() + (long) (task % threads) * ROWS * COLUMNS * 4;
            for (int p = first; p < last; p++) {
                panel(c, a, m0, Math.min(m, m0 + TASK_ROWS), n0 + p * COLUMNS, Math.min(COLUMNS, columns - p * COLUMNS), k0, depth,
                        to + 4L * p * depth * COLUMNS, alpha, add, edge);
            }
        });
    }

    /** Rows m0 to m1 of C by one panel's columns. */
    private static void panel(Matrix c, Matrix a, int m0, int m1, int n0, int width, int k0, int depth, long b, float alpha, boolean add,
            long edge) {
        long aStep = 4 * a.column();
        long aRow = 4 * a.row();
        for (int i = m0; i < m1;) {
            int rows = m1 - i >= ROWS ? ROWS : 1;
            long from = a.address() + i * aRow + k0 * aStep;
            long to = c.address() + 4 * (i * c.row() + n0);
            if (width == COLUMNS) {
                tile(to, 4 * c.row(), from, aRow, aStep, b, depth, rows, alpha, add);
            } else {
                tile(edge, 4L * COLUMNS, from, aRow, aStep, b, depth, rows, alpha, false);
                copyEdge(to, 4 * c.row(), edge, rows, width, add);
            }
            i += rows;
        }
    }

    private static void tile(long c, long cRow, long a, long aRow, long aStep, long b, int depth, int rows, float alpha, boolean add) {
        if (rows == ROWS) {
            if (add) {
                addSix(c, cRow, a, aRow, aStep, b, depth, alpha);
            } else {
                setSix(c, cRow, a, aRow, aStep, b, depth, alpha);
            }
        } else if (add) {
            addOne(c, a, aStep, b, depth, alpha);
        } else {
            setOne(c, a, aStep, b, depth, alpha);
        }
    }

    private static void copyEdge(long c, long cRow, long edge, int rows, int width, boolean add) {
        for (int i = 0; i < rows; i++) {
            for (int j = 0; j < width; j++) {
                long to = c + i * cRow + 4L * j;
                float value = ALL.get(FLOAT, edge + 4L * (i * COLUMNS + j));
                ALL.set(FLOAT, to, add ? ALL.get(FLOAT, to) + value : value);
            }
        }
    }

    // ---- packing: rows k0 …, columns n0 … of B as depth × COLUMNS, zero behind the last column ----

    private static void pack(long to, Matrix b, int k0, int depth, int n0, int width) {
        if (b.type() != DType.F32) {
            packNarrow(to, b, k0, depth, n0, width);
        } else if (b.column() == 1 && width == COLUMNS) {
            packRows(to, b.address() + 4 * (k0 * b.row() + n0), 4 * b.row(), depth);
        } else {
            packAny(to, b.address() + 4 * (k0 * b.row() + n0 * b.column()), 4 * b.row(), 4 * b.column(), depth, width);
        }
    }

    private static void packRows(long to, long from, long row, int depth) {
        for (int k = 0; k < depth; k++) {
            FloatVector.fromMemorySegment(SPECIES, ALL, from, ORDER).intoMemorySegment(ALL, to, ORDER);
            FloatVector.fromMemorySegment(SPECIES, ALL, from + WIDTH, ORDER).intoMemorySegment(ALL, to + WIDTH, ORDER);
            from += row;
            to += 2 * WIDTH;
        }
    }

    private static void packAny(long to, long from, long row, long column, int depth, int width) {
        for (int j = 0; j < width; j++) {
            long source = from + j * column;
            long target = to + 4L * j;
            for (int k = 0; k < depth; k++) {
                ALL.set(FLOAT, target, ALL.get(FLOAT, source));
                source += row;
                target += 2L * WIDTH;
            }
        }
        clearBehind(to, depth, width);
    }

    /** BF16 and F16 are widened here, so that the kernels know F32 alone. */
    private static void packNarrow(long to, Matrix b, int k0, int depth, int n0, int width) {
        for (int k = 0; k < depth; k++) {
            for (int j = 0; j < width; j++) {
                short bits = ALL.get(SHORT, b.address() + 2 * ((k0 + k) * b.row() + (n0 + j) * b.column()));
                float value = b.type() == DType.BF16 ? Float.intBitsToFloat(bits << 16) : Float.float16ToFloat(bits);
                ALL.set(FLOAT, to + 4L * (k * COLUMNS + j), value);
            }
        }
        clearBehind(to, depth, width);
    }

    private static void clearBehind(long to, int depth, int width) {
        for (int k = 0; k < depth && width < COLUMNS; k++) {
            for (int j = width; j < COLUMNS; j++) {
                ALL.set(FLOAT, to + 4L * (k * COLUMNS + j), 0);
            }
        }
    }

    // ---- kernels ----

    private static void setSix(long c, long cRow, long a, long aRow, long aStep, long b, int depth, float alpha) {
        FloatVector c00 = FloatVector.zero(SPECIES);
        FloatVector c01 = c00;
        FloatVector c10 = c00;
        FloatVector c11 = c00;
        FloatVector c20 = c00;
        FloatVector c21 = c00;
        FloatVector c30 = c00;
        FloatVector c31 = c00;
        FloatVector c40 = c00;
        FloatVector c41 = c00;
        FloatVector c50 = c00;
        FloatVector c51 = c00;
        long end = b + (long) depth * 2 * WIDTH;
        for (long p = b; p != end; p += 2 * WIDTH) {
            FloatVector b0 = FloatVector.fromMemorySegment(SPECIES, ALL, p, ORDER);
            FloatVector b1 = FloatVector.fromMemorySegment(SPECIES, ALL, p + WIDTH, ORDER);
            FloatVector a0 = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, a));
            c00 = a0.fma(b0, c00);
            c01 = a0.fma(b1, c01);
            FloatVector a1 = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, a + aRow));
            c10 = a1.fma(b0, c10);
            c11 = a1.fma(b1, c11);
            FloatVector a2 = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, a + 2 * aRow));
            c20 = a2.fma(b0, c20);
            c21 = a2.fma(b1, c21);
            FloatVector a3 = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, a + 3 * aRow));
            c30 = a3.fma(b0, c30);
            c31 = a3.fma(b1, c31);
            FloatVector a4 = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, a + 4 * aRow));
            c40 = a4.fma(b0, c40);
            c41 = a4.fma(b1, c41);
            FloatVector a5 = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, a + 5 * aRow));
            c50 = a5.fma(b0, c50);
            c51 = a5.fma(b1, c51);
            a += aStep;
        }
        c00.mul(alpha).intoMemorySegment(ALL, c, ORDER);
        c01.mul(alpha).intoMemorySegment(ALL, c + WIDTH, ORDER);
        c10.mul(alpha).intoMemorySegment(ALL, c + cRow, ORDER);
        c11.mul(alpha).intoMemorySegment(ALL, c + cRow + WIDTH, ORDER);
        c20.mul(alpha).intoMemorySegment(ALL, c + 2 * cRow, ORDER);
        c21.mul(alpha).intoMemorySegment(ALL, c + 2 * cRow + WIDTH, ORDER);
        c30.mul(alpha).intoMemorySegment(ALL, c + 3 * cRow, ORDER);
        c31.mul(alpha).intoMemorySegment(ALL, c + 3 * cRow + WIDTH, ORDER);
        c40.mul(alpha).intoMemorySegment(ALL, c + 4 * cRow, ORDER);
        c41.mul(alpha).intoMemorySegment(ALL, c + 4 * cRow + WIDTH, ORDER);
        c50.mul(alpha).intoMemorySegment(ALL, c + 5 * cRow, ORDER);
        c51.mul(alpha).intoMemorySegment(ALL, c + 5 * cRow + WIDTH, ORDER);
    }

    private static void addSix(long c, long cRow, long a, long aRow, long aStep, long b, int depth, float alpha) {
        FloatVector c00 = FloatVector.zero(SPECIES);
        FloatVector c01 = c00;
        FloatVector c10 = c00;
        FloatVector c11 = c00;
        FloatVector c20 = c00;
        FloatVector c21 = c00;
        FloatVector c30 = c00;
        FloatVector c31 = c00;
        FloatVector c40 = c00;
        FloatVector c41 = c00;
        FloatVector c50 = c00;
        FloatVector c51 = c00;
        long end = b + (long) depth * 2 * WIDTH;
        for (long p = b; p != end; p += 2 * WIDTH) {
            FloatVector b0 = FloatVector.fromMemorySegment(SPECIES, ALL, p, ORDER);
            FloatVector b1 = FloatVector.fromMemorySegment(SPECIES, ALL, p + WIDTH, ORDER);
            FloatVector a0 = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, a));
            c00 = a0.fma(b0, c00);
            c01 = a0.fma(b1, c01);
            FloatVector a1 = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, a + aRow));
            c10 = a1.fma(b0, c10);
            c11 = a1.fma(b1, c11);
            FloatVector a2 = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, a + 2 * aRow));
            c20 = a2.fma(b0, c20);
            c21 = a2.fma(b1, c21);
            FloatVector a3 = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, a + 3 * aRow));
            c30 = a3.fma(b0, c30);
            c31 = a3.fma(b1, c31);
            FloatVector a4 = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, a + 4 * aRow));
            c40 = a4.fma(b0, c40);
            c41 = a4.fma(b1, c41);
            FloatVector a5 = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, a + 5 * aRow));
            c50 = a5.fma(b0, c50);
            c51 = a5.fma(b1, c51);
            a += aStep;
        }
        c00.mul(alpha).add(FloatVector.fromMemorySegment(SPECIES, ALL, c, ORDER)).intoMemorySegment(ALL, c, ORDER);
        c01.mul(alpha).add(FloatVector.fromMemorySegment(SPECIES, ALL, c + WIDTH, ORDER)).intoMemorySegment(ALL, c + WIDTH, ORDER);
        c10.mul(alpha).add(FloatVector.fromMemorySegment(SPECIES, ALL, c + cRow, ORDER)).intoMemorySegment(ALL, c + cRow, ORDER);
        c11.mul(alpha).add(FloatVector.fromMemorySegment(SPECIES, ALL, c + cRow + WIDTH, ORDER)).intoMemorySegment(ALL, c + cRow + WIDTH, ORDER);
        c20.mul(alpha).add(FloatVector.fromMemorySegment(SPECIES, ALL, c + 2 * cRow, ORDER)).intoMemorySegment(ALL, c + 2 * cRow, ORDER);
        c21.mul(alpha).add(FloatVector.fromMemorySegment(SPECIES, ALL, c + 2 * cRow + WIDTH, ORDER)).intoMemorySegment(ALL, c + 2 * cRow + WIDTH, ORDER);
        c30.mul(alpha).add(FloatVector.fromMemorySegment(SPECIES, ALL, c + 3 * cRow, ORDER)).intoMemorySegment(ALL, c + 3 * cRow, ORDER);
        c31.mul(alpha).add(FloatVector.fromMemorySegment(SPECIES, ALL, c + 3 * cRow + WIDTH, ORDER)).intoMemorySegment(ALL, c + 3 * cRow + WIDTH, ORDER);
        c40.mul(alpha).add(FloatVector.fromMemorySegment(SPECIES, ALL, c + 4 * cRow, ORDER)).intoMemorySegment(ALL, c + 4 * cRow, ORDER);
        c41.mul(alpha).add(FloatVector.fromMemorySegment(SPECIES, ALL, c + 4 * cRow + WIDTH, ORDER)).intoMemorySegment(ALL, c + 4 * cRow + WIDTH, ORDER);
        c50.mul(alpha).add(FloatVector.fromMemorySegment(SPECIES, ALL, c + 5 * cRow, ORDER)).intoMemorySegment(ALL, c + 5 * cRow, ORDER);
        c51.mul(alpha).add(FloatVector.fromMemorySegment(SPECIES, ALL, c + 5 * cRow + WIDTH, ORDER)).intoMemorySegment(ALL, c + 5 * cRow + WIDTH, ORDER);
    }

    private static void setOne(long c, long a, long aStep, long b, int depth, float alpha) {
        FloatVector c0 = FloatVector.zero(SPECIES);
        FloatVector c1 = c0;
        long end = b + (long) depth * 2 * WIDTH;
        for (long p = b; p != end; p += 2 * WIDTH) {
            FloatVector a0 = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, a));
            c0 = a0.fma(FloatVector.fromMemorySegment(SPECIES, ALL, p, ORDER), c0);
            c1 = a0.fma(FloatVector.fromMemorySegment(SPECIES, ALL, p + WIDTH, ORDER), c1);
            a += aStep;
        }
        c0.mul(alpha).intoMemorySegment(ALL, c, ORDER);
        c1.mul(alpha).intoMemorySegment(ALL, c + WIDTH, ORDER);
    }

    private static void addOne(long c, long a, long aStep, long b, int depth, float alpha) {
        FloatVector c0 = FloatVector.zero(SPECIES);
        FloatVector c1 = c0;
        long end = b + (long) depth * 2 * WIDTH;
        for (long p = b; p != end; p += 2 * WIDTH) {
            FloatVector a0 = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, a));
            c0 = a0.fma(FloatVector.fromMemorySegment(SPECIES, ALL, p, ORDER), c0);
            c1 = a0.fma(FloatVector.fromMemorySegment(SPECIES, ALL, p + WIDTH, ORDER), c1);
            a += aStep;
        }
        c0.mul(alpha).add(FloatVector.fromMemorySegment(SPECIES, ALL, c, ORDER)).intoMemorySegment(ALL, c, ORDER);
        c1.mul(alpha).add(FloatVector.fromMemorySegment(SPECIES, ALL, c + WIDTH, ORDER)).intoMemorySegment(ALL, c + WIDTH, ORDER);
    }

    void close() {
        packed.close();
        edges.close();
    }
}
