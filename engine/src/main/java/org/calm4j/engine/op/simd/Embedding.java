package org.calm4j.engine.op.simd;

import static org.calm4j.engine.op.simd.vec.Vectors.INT;
import static org.calm4j.engine.op.simd.vec.Vectors.MEMORY;

import java.lang.foreign.MemorySegment;
import org.calm4j.engine.op.simd.vec.Native;
import org.calm4j.engine.op.simd.vec.Scratch;
import org.calm4j.engine.op.simd.vec.Widen;
import org.calm4j.engine.op.simd.vec.WorkerPool;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;

/** Rows of a table (V,C) by their indices (T). */
final class Embedding implements AutoCloseable {
    private static final int TASK_ROWS = 64;
    /** Columns of one task of the backward pass: four cache lines, so that threads share none. */
    private static final int TASK_COLUMNS = 64;

    private static final double COPIED_PER_NANO = 3;

    private final WorkerPool pool;
    /** One widened row for each thread. */
    private final Scratch[] own;

    private final WorkerPool.Task forwardTask = this::forward;
    private final WorkerPool.Task backwardTask = this::backward;
    private final WorkerPool.Task scatterTask = this::scatter;

    private long rows;
    private long table;
    private DType type;
    private long index;
    private int t;
    private int c;
    private boolean add;

    Embedding(WorkerPool pool) {
        this.pool = pool;
        own = new Scratch[pool.threads()];
        for (int i = 0; i < own.length; i++) {
            own[i] = new Scratch();
        }
    }

    /** Sets or adds {@code out[t,c] = table[index[t],c]}. */
    void forward(Tensor out, Tensor table, Tensor index, boolean add) {
        bind(out, table, index);
        this.add = add;
        this.table = Native.weight(table, table.size());
        pool.run(forwardTask, (t + TASK_ROWS - 1) / TASK_ROWS, (long) (t * (double) c / COPIED_PER_NANO));
    }

    /** Adds {@code dTable[index[t],c] += dOut[t,c]}, t after t: each task has its own columns. */
    void backward(Tensor dTable, Tensor dOut, Tensor index) {
        bind(dOut, dTable, index);
        table = Native.f32(dTable, dTable.size());
        pool.run(backwardTask, (c + TASK_COLUMNS - 1) / TASK_COLUMNS, (long) (t * (double) c / COPIED_PER_NANO));
    }

    /** Sets {@code to[index[t],c] = from[t,c]}; each index once. */
    void scatter(Tensor to, Tensor from, Tensor index) {
        bind(from, to, index);
        table = Native.f32(to, to.size());
        pool.run(scatterTask, (t + TASK_ROWS - 1) / TASK_ROWS, (long) (t * (double) c / COPIED_PER_NANO));
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
            long from = table + row * type.bytes();
            if (add) {
                long wide = own[worker].floats(c);
                Widen.row(wide, from, type, c);
                Bias.add(rows + 4L * i * c, wide, c);
            } else {
                Widen.row(rows + 4L * i * c, from, type, c);
            }
        }
    }

    private void backward(int task, int worker) {
        int first = task * TASK_COLUMNS;
        int count = Math.min(TASK_COLUMNS, c - first);
        for (int i = 0; i < t; i++) {
            long row = (long) MEMORY.get(INT, index + 4L * i) * c;
            Bias.add(table + 4 * (row + first), rows + 4 * ((long) i * c + first), count);
        }
    }

    private void scatter(int task, int worker) {
        int end = Math.min(t, (task + 1) * TASK_ROWS);
        for (int i = task * TASK_ROWS; i < end; i++) {
            long row = (long) MEMORY.get(INT, index + 4L * i) * c;
            MemorySegment.copy(MEMORY, rows + 4L * i * c, MEMORY, table + 4 * row, 4L * c);
        }
    }

    @Override
    public void close() {
        for (Scratch scratch : own) {
            scratch.close();
        }
    }
}
