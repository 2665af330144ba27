package org.calm4j.engine.op.simd;

import static org.calm4j.engine.op.simd.Lanes.ALL;
import static org.calm4j.engine.op.simd.Lanes.FLOAT;
import static org.calm4j.engine.op.simd.Lanes.LANES;
import static org.calm4j.engine.op.simd.Lanes.ORDER;
import static org.calm4j.engine.op.simd.Lanes.SPECIES;

import jdk.incubator.vector.FloatVector;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;

/** Rows of a table (V,C) by their indices (T). */
final class Embedding {
    private static final int ROWS_PER_TASK = 32;
    private static final int COLUMNS_PER_TASK = 8 * LANES;

    private final WorkerPool pool;

    Embedding(WorkerPool pool) {
        this.pool = pool;
    }

    void forward(Tensor out, Tensor table, Tensor index) {
        int t = Math.toIntExact(index.size());
        int c = Math.toIntExact(table.dim(1));
        long to = Lanes.address(out, (long) t * c);
        pool.run((t + ROWS_PER_TASK - 1) / ROWS_PER_TASK, task -> {
            for (int i = task * ROWS_PER_TASK; i < Math.min(t, (task + 1) * ROWS_PER_TASK); i++) {
                long row = checked(index, i, table.dim(0)) * c;
                if (table.type() == DType.F32) {
                    ALL.asSlice(to + 4L * i * c, 4L * c).copyFrom(table.segment().asSlice(4 * row, 4L * c));
                } else {
                    for (int j = 0; j < c; j++) {
                        ALL.set(FLOAT, to + 4L * (i * (long) c + j), (float) table.get(row + j));
                    }
                }
            }
        });
    }

    /** Tasks own columns, so that each place is added to in the order of t. */
    void backward(Tensor dTable, Tensor dOut, Tensor index) {
        int t = Math.toIntExact(index.size());
        int c = Math.toIntExact(dTable.dim(1));
        long table = Lanes.address(dTable, dTable.size());
        long d = Lanes.address(dOut, (long) t * c);
        pool.run((c + COLUMNS_PER_TASK - 1) / COLUMNS_PER_TASK, task -> {
            int first = task * COLUMNS_PER_TASK;
            int width = Math.min(COLUMNS_PER_TASK, c - first);
            for (int i = 0; i < t; i++) {
                addRow(table + 4 * (checked(index, i, dTable.dim(0)) * c + first), d + 4 * ((long) i * c + first), width);
            }
        });
    }

    private static long checked(Tensor index, int i, long rows) {
        int row = index.getInt(i);
        if (row < 0 || row >= rows) {
            throw new IndexOutOfBoundsException("index " + row + " of " + rows + " rows");
        }
        return row;
    }

    private static void addRow(long to, long from, int width) {
        int j = 0;
        for (; j + LANES <= width; j += LANES) {
            FloatVector.fromMemorySegment(SPECIES, ALL, to + 4L * j, ORDER).add(FloatVector.fromMemorySegment(SPECIES, ALL, from + 4L * j, ORDER))
                    .intoMemorySegment(ALL, to + 4L * j, ORDER);
        }
        for (; j < width; j++) {
            ALL.set(FLOAT, to + 4L * j, ALL.get(FLOAT, to + 4L * j) + ALL.get(FLOAT, from + 4L * j));
        }
    }
}
