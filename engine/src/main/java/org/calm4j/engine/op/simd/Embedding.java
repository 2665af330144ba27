package org.calm4j.engine.op.simd;

import static org.calm4j.engine.op.simd.Vectors.FLOAT;
import static org.calm4j.engine.op.simd.Vectors.FLOATS;
import static org.calm4j.engine.op.simd.Vectors.INT;
import static org.calm4j.engine.op.simd.Vectors.LANES;
import static org.calm4j.engine.op.simd.Vectors.MEMORY;
import static org.calm4j.engine.op.simd.Vectors.ORDER;

import jdk.incubator.vector.FloatVector;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;

/** Rows of a table (V,C) by their indices (T). */
final class Embedding {
    private static final int TASK_ROWS = 64;
    /** Columns of one task of the backward pass: four lines of the cache, so that threads share none. */
    private static final int TASK_COLUMNS = 64;
    private static final double COPIED_PER_NANO = 3;

    private final WorkerPool pool;
    private final WorkerPool.Task forwardTask = this::forward;
    private final WorkerPool.Task backwardTask = this::backward;

    private long rows;
    private long table;
    private DType type;
    private long index;
    private int t;
    private int c;

    Embedding(WorkerPool pool) {
        this.pool = pool;
    }

    /** Sets {@code out[t,c] = table[index[t],c]}. */
    void forward(Tensor out, Tensor table, Tensor index) {
        bind(out, table, index);
        this.table = Native.weight(table, table.size());
        pool.run(forwardTask, (t + TASK_ROWS - 1) / TASK_ROWS, (long) (t * (double) c / COPIED_PER_NANO));
    }

    /** Adds {@code dTable[index[t],c] += dOut[t,c]}, t after t: each task has its own columns. */
    void backward(Tensor dTable, Tensor dOut, Tensor index) {
        bind(dOut, dTable, index);
        table = Native.f32(dTable, dTable.size());
        pool.run(backwardTask, (c + TASK_COLUMNS - 1) / TASK_COLUMNS, (long) (t * (double) c / COPIED_PER_NANO));
    }

    private void bind(Tensor rows, Tensor table, Tensor index) {
        t = (int) index.size();
        c = (int) table.dim(1);
        type = table.type();
        this.rows = Native.f32(rows, (long) t * c);
        this.index = Native.indices(index, t, table.dim(0));
    }

    private void forward(int task, int worker) {
        int end = Math.min(t, (task + 1) * TASK_ROWS);
        for (int i = task * TASK_ROWS; i < end; i++) {
            long row = (long) MEMORY.get(INT, index + 4L * i) * c;
            Widen.row(rows + 4L * i * c, table + row * type.bytes(), type, c);
        }
    }

    private void backward(int task, int worker) {
        int first = task * TASK_COLUMNS;
        int count = Math.min(TASK_COLUMNS, c - first);
        for (int i = 0; i < t; i++) {
            long row = (long) MEMORY.get(INT, index + 4L * i) * c;
            add(table + 4 * (row + first), rows + 4 * ((long) i * c + first), count);
        }
    }

    private static void add(long to, long from, int count) {
        int i = 0;
        for (; i <= count - LANES; i += LANES) {
            FloatVector.fromMemorySegment(FLOATS, MEMORY, to + 4L * i, ORDER)
                    .add(FloatVector.fromMemorySegment(FLOATS, MEMORY, from + 4L * i, ORDER)).intoMemorySegment(MEMORY, to + 4L * i, ORDER);
        }
        for (; i < count; i++) {
            MEMORY.set(FLOAT, to + 4L * i, MEMORY.get(FLOAT, to + 4L * i) + MEMORY.get(FLOAT, from + 4L * i));
        }
    }
}
