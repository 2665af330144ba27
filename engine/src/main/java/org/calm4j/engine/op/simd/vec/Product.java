package org.calm4j.engine.op.simd.vec;

import static org.calm4j.engine.op.simd.vec.Vectors.BYTES;
import static org.calm4j.engine.op.simd.vec.Vectors.FLOAT;
import static org.calm4j.engine.op.simd.vec.Vectors.FLOATS;
import static org.calm4j.engine.op.simd.vec.Vectors.LANES;
import static org.calm4j.engine.op.simd.vec.Vectors.MEMORY;
import static org.calm4j.engine.op.simd.vec.Vectors.ORDER;

import jdk.incubator.vector.FloatVector;
import org.calm4j.engine.tensor.DType;

/**
 * The matrix product {@code C = α·A·B} (m×k times k×n) from packed panels and register tiles (Goto &amp; van de Geijn 2008).
 *
 * <p>In blocks of n and k: the left side is packed, shared by the pool. If each thread has enough columns of its own, it packs a few right panels
 * at a time and computes their tiles while they are in its cache; else the right side is packed for all, and then tiles are shared. A right
 * side that is constant may also have been packed before ({@link #packAll}). Blocks depend on the sizes alone, and every element of C is
 * summed by one thread in the order of k; so packing before changes no bit.
 */
public final class Product implements AutoCloseable {
    private static final boolean WIDE_LANES = LANES == 16;
    /** Rows and columns of a tile, which are the widths of panels. */
    private static final int MR = WIDE_LANES ? Tile8.ROWS : Tile6.ROWS;

    public static final int NR = 2 * LANES;
    /** Floats of one step of a left panel. */
    private static final int LEFT = WIDE_LANES ? Tile8.LEFT : Tile6.LEFT;
    /** Steps of a right panel, 24 or 32 KB, which stays in the L1 cache while tiles read it. */
    private static final int KC = WIDE_LANES ? 256 : 384;
    /** Panels that one task packs. */
    private static final int GROUP = 4;
    /** Floats, and minimum steps, that one task packs where the left side is read by columns. */
    private static final int STRIP = 8192;

    private static final int STRIP_STEPS = 32;
    /** Packed at once: bounds the scratch memory to about 9 MB. */
    private static final int NC = 2048;

    private static final int MC = 4080;
    /**
     * One task of tiles: a right block that fits into the L2 cache, and, if that is shared, a few left panels. Half of it leaves more room for C
     * if the left panels, which each task reads, are few.
     */
    private static final int TASK_RIGHT = 256 * KC;

    private static final int FEW_LEFT = 1 << 19;
    private static final int TASK_PANELS = 2;
    /** Up to this many left panels stay in the L2 cache while right panels stream past; beyond, the right panels stay. */
    private static final int CACHED_PANELS = 16;
    /** Up to this depth writing C dominates, so tiles are visited along the rows of C. */
    private static final int THIN_DEPTH = 96;
    /** Scratch rows for padding a partial panel. */
    private static final int SPARE_ROWS = 8;
    /** Floats of a thread's own memory. */
    private static final int OWN = MR * NR + (NR + SPARE_ROWS) * KC + TASK_RIGHT;
    /** Approximate speeds of packing and computing; only used to decide whether to wake the pool. */
    private static final double PACKED_PER_NANO = 4;

    private static final double PRODUCTS_PER_NANO = 40;
    /** With this many tasks per thread, threads end at about the same time. */
    private static final int EVEN_TASKS = 4;

    private final WorkerPool pool;
    private final Scratch packed = new Scratch();
    /** For each worker: an edge tile, a widened panel, a few rows, the right panels of one task. */
    private final Scratch[] own;

    private final WorkerPool.Task packTask = this::pack;
    private final WorkerPool.Task tileTask = this::tiles;
    private final WorkerPool.Task columnTask = this::columns;

    // The operands.
    private long left;
    private long leftStride;
    private boolean leftTransposed;
    private long right;
    private long rightStride;
    private boolean rightTransposed;
    private DType rightType;
    /** All panels of the right side, if packed before; else 0. */
    private long packedRight;

    private int packedFirst;
    private int packedCount;
    private long c;
    private long cStride;
    private float alpha;

    // The current block.
    private long leftPanels;
    private long rightPanels;
    private int leftCount;
    /** Left panels of MR rows; those after them have the rows of {@link Tile4}. */
    private int tallCount;

    private int leftParts;
    /** Steps of a part, if the left side is read by columns. */
    private int leftStrip;

    private int firstRow;
    private int rows;
    private int firstColumn;
    private int columns;
    /** Columns of one task. */
    private int taskColumns;

    private int firstStep;
    private int steps;
    /** Steps of a panel: an even number, with a step of zeros at the end if needed. */
    private int depth;

    private boolean adding;

    public Product(WorkerPool pool) {
        this.pool = pool;
        own = new Scratch[pool.threads()];
        for (int i = 0; i < own.length; i++) {
            own[i] = new Scratch();
        }
    }

    /** A (m,k), row-major; strides are in bytes here and below. */
    public Product left(long address, long stride) {
        left = address;
        leftStride = stride;
        leftTransposed = false;
        return this;
    }

    /** A is the transpose of the row-major (k,m) given. */
    public Product leftTransposed(long address, long stride) {
        left = address;
        leftStride = stride;
        leftTransposed = true;
        return this;
    }

    /** B (k,n), row-major. */
    public Product right(long address, long stride, DType type) {
        right = address;
        rightStride = stride;
        rightType = type;
        rightTransposed = false;
        packedRight = 0;
        return this;
    }

    /** B is the transpose of the row-major (n,k) given. */
    public Product rightTransposed(long address, long stride, DType type) {
        right = address;
        rightStride = stride;
        rightType = type;
        rightTransposed = true;
        packedRight = 0;
        return this;
    }

    /**
     * Columns of a B that {@link #packAll} has packed.
     *
     * @param first a multiple of {@link #NR}
     * @param all the columns of B
     */
    public Product packedRight(long panels, int first, int all) {
        packedRight = panels;
        packedFirst = first / NR;
        packedCount = (all + NR - 1) / NR;
        return this;
    }

    /** Bytes of the panels of all of B (k,n). */
    public static long packedBytes(long n, long k) {
        long bytes = 0;
        for (int block = 0; block < blocks(k); block++) {
            bytes += 4L * NR * ((n + NR - 1) / NR) * even((int) (start(k, block + 1) - start(k, block)));
        }
        return bytes;
    }

    /** Packs the whole right side: block after block of k, and in each panel after panel. */
    void packAll(long to, int n, int k) {
        firstColumn = 0;
        columns = n;
        leftParts = 0;
        rightPanels = to;
        int count = (n + NR - 1) / NR;
        for (int block = 0; block < blocks(k); block++) {
            takeSteps(k, block);
            pool.run(packTask, (count + GROUP - 1) / GROUP, (long) (steps * (double) columns / PACKED_PER_NANO));
            rightPanels += 4L * depth * NR * count;
        }
    }

    private static int blocks(long k) {
        return (int) ((k + KC - 1) / KC);
    }

    /** The first step of a block of k. */
    private static long start(long k, int block) {
        return k * block / blocks(k);
    }

    private static int even(int steps) {
        return steps + (steps & 1);
    }

    private void takeSteps(int k, int block) {
        firstStep = (int) start(k, block);
        steps = (int) start(k, block + 1) - firstStep;
        depth = even(steps);
    }

    /** Sets C (m,n), or adds to it. */
    public void into(long address, long stride, int m, int n, int k, float alpha, boolean add) {
        c = address;
        cStride = stride;
        this.alpha = alpha;
        if (k == 0 && !add) {
            for (int i = 0; i < m; i++) {
                MEMORY.asSlice(address + i * stride, 4L * n).fill((byte) 0);
            }
        }
        int width = packedRight == 0 ? NC : n;
        for (firstColumn = 0; firstColumn < n; firstColumn += width) {
            columns = Math.min(width, n - firstColumn);
            long before = packedRight;
            for (int block = 0; block < blocks(k); block++) {
                takeSteps(k, block);
                adding = add || block > 0;
                for (firstRow = 0; firstRow < m; firstRow += MC) {
                    rows = Math.min(MC, m - firstRow);
                    rightPanels = before + 4L * depth * NR * packedFirst;
                    block(firstRow == 0);
                }
                before += 4L * depth * NR * packedCount;
            }
        }
    }

    private void block(boolean packRight) {
        takeRows();
        int rightCount = (columns + NR - 1) / NR;
        int taskRight = leftCount * LEFT * depth > FEW_LEFT ? TASK_RIGHT : TASK_RIGHT / 2;
        taskColumns = taskRight / depth / (GROUP * NR) * (GROUP * NR);
        int columnTasks = (columns + taskColumns - 1) / taskColumns;
        boolean shared = pool.threads() > 1 && columnTasks < EVEN_TASKS * pool.threads();
        boolean packsAll = shared && packedRight == 0;
        leftPanels = packed.floats((long) depth * (leftCount * LEFT + (packsAll ? rightCount * NR : 0)));
        if (packedRight == 0) {
            rightPanels = leftPanels + 4L * depth * leftCount * LEFT;
        }
        leftStrip = Math.max(STRIP_STEPS, STRIP / rows);
        leftParts = leftTransposed ? (steps + leftStrip - 1) / leftStrip : (leftCount + GROUP - 1) / GROUP;
        boolean packsRight = packRight && packedRight == 0;
        int packing = leftParts + (packsAll && packRight ? (rightCount + GROUP - 1) / GROUP : 0);
        pool.run(packTask, packing, (long) (steps * (rows + (packsRight ? (double) columns : 0)) / PACKED_PER_NANO));
        long nanos = (long) ((double) steps * rows * columns / PRODUCTS_PER_NANO);
        if (shared) {
            pool.run(tileTask, leftTasks() * columnTasks, nanos);
        } else {
            pool.run(columnTask, columnTasks, nanos);
        }
    }

    /** Divides the rows into panels so that the fewest excess rows are computed. */
    private void takeRows() {
        tallCount = rows / MR;
        int rest = rows % MR;
        if (rest > Tile4.ROWS) {
            tallCount++;
            rest = 0;
        } else if (rest > 0 && tallCount > 0 && MR + rest <= 2 * Tile4.ROWS) {
            tallCount--;
            rest += MR;
        }
        leftCount = tallCount + (rest + Tile4.ROWS - 1) / Tile4.ROWS;
    }

    /** The first row of a left panel. */
    private int rowOf(int panel) {
        return panel <= tallCount ? panel * MR : tallCount * MR + (panel - tallCount) * Tile4.ROWS;
    }

    private int leftTasks() {
        return (leftCount + TASK_PANELS - 1) / TASK_PANELS;
    }

    /** Packs a part of the left side, or, for indices after those, a group of right panels. */
    private void pack(int index, int worker) {
        if (index < leftParts && leftTransposed) {
            packColumns(index);
        } else if (index < leftParts) {
            packRows(index, worker);
        } else {
            int first = (index - leftParts) * GROUP;
            packGroup(rightPanels + 4L * depth * NR * first, first, worker);
        }
    }

    /** Right panels from {@code first} on, written from {@code to} on. */
    private void packGroup(long to, int first, int worker) {
        long bytes = 4L * depth * NR;
        int count = Math.min(GROUP, (columns + NR - 1) / NR - first);
        if (!rightTransposed && rightType == DType.F32 && (first + GROUP) * NR <= columns) {
            Panels.fourFromColumns(
                    to, bytes, right + firstStep * rightStride + 4L * (firstColumn + first * NR), rightStride, steps);
        } else {
            for (int i = 0; i < count; i++) {
                packRight(to + i * bytes, first + i, worker);
            }
        }
        endPanels(to, bytes, count, NR);
    }

    /** A group of left panels, from rows. */
    private void packRows(int group, int worker) {
        long bytes = 4L * depth * LEFT;
        int end = Math.min(leftCount, (group + 1) * GROUP);
        for (int panel = group * GROUP; panel < end; panel++) {
            int row = rowOf(panel);
            int count = Math.min(rowOf(panel + 1), rows) - row;
            Panels.fromRows(
                    leftPanels + panel * bytes,
                    left + (firstRow + row) * leftStride + 4L * firstStep,
                    leftStride,
                    count,
                    steps,
                    LEFT,
                    spare(worker));
        }
        endPanels(leftPanels + group * GROUP * bytes, bytes, end - group * GROUP, LEFT);
    }

    /** Some steps of all left panels, from columns: the reads fit into the L1 cache. */
    private void packColumns(int strip) {
        long bytes = 4L * depth * LEFT;
        int first = strip * leftStrip;
        int count = Math.min(leftStrip, steps - first);
        long to = leftPanels + 4L * LEFT * first;
        long from = left + (firstStep + first) * leftStride + 4L * firstRow;
        int panel = 0;
        for (;
                LANES >= LEFT && panel + GROUP <= tallCount && rowOf(panel + GROUP) + LEFT - MR <= rows;
                panel += GROUP) {
            Panels.fourLeft(to + panel * bytes, bytes, from + 4L * rowOf(panel), leftStride, count, MR);
        }
        for (; panel < leftCount; panel++) {
            int row = rowOf(panel);
            Panels.fromColumns(
                    to + panel * bytes,
                    from + 4L * row,
                    leftStride,
                    Math.min(rowOf(panel + 1), rows) - row,
                    count,
                    LEFT);
        }
        if (first + count == steps) {
            endPanels(leftPanels, bytes, leftCount, LEFT);
        }
    }

    /** A thread's memory for NR rows of KC floats, followed by eight more. */
    private long spare(int worker) {
        return own[worker].floats(OWN) + 4L * MR * NR;
    }

    /** Zeros for the step that makes the number of steps even. */
    private void endPanels(long panels, long bytes, int count, int width) {
        for (int i = 0; i < count && depth > steps; i++) {
            MEMORY.asSlice(panels + i * bytes + 4L * steps * width, 4L * width).fill((byte) 0);
        }
    }

    private void packRight(long to, int panel, int worker) {
        int column = firstColumn + panel * NR;
        int count = Math.min(NR, firstColumn + columns - column);
        int lines = rightTransposed ? count : steps;
        int length = rightTransposed ? steps : count;
        long line = rightTransposed ? column : firstStep;
        long within = rightTransposed ? firstStep : column;
        long from = right + line * rightStride + within * rightType.bytes();
        long stride = rightStride;
        if (rightType != DType.F32) {
            long wide = spare(worker);
            for (int i = 0; i < lines; i++) {
                Widen.row(wide + 4L * i * length, from + i * rightStride, rightType, length);
            }
            from = wide;
            stride = 4L * length;
        }
        if (rightTransposed) {
            Panels.fromRows(to, from, stride, count, steps, NR, spare(worker) + 4L * NR * KC);
        } else {
            Panels.fromColumns(to, from, stride, count, steps, NR);
        }
    }

    /** One task: TASK_PANELS left panels times taskColumns columns; tasks of the same columns are neighbours. */
    private void tiles(int index, int worker) {
        int first = index % leftTasks() * TASK_PANELS;
        int column = index / leftTasks() * taskColumns;
        tiles(
                first,
                Math.min(leftCount, first + TASK_PANELS),
                column,
                taskColumns,
                rightPanels + 4L * depth * column,
                worker);
    }

    /** One task: taskColumns columns, whose panels only this thread reads. */
    private void columns(int index, int worker) {
        int column = index * taskColumns;
        if (leftCount > CACHED_PANELS || depth <= THIN_DEPTH) {
            tiles(0, leftCount, column, taskColumns, panels(column, taskColumns, worker), worker);
            return;
        }
        int end = Math.min(columns, column + taskColumns);
        for (int group = column; group < end; group += GROUP * NR) {
            long panels = panels(group, GROUP * NR, worker);
            for (int i = 0; i < GROUP && group + i * NR < end; i++) {
                tiles(0, leftCount, group + i * NR, NR, panels + 4L * depth * NR * i, worker);
            }
        }
    }

    /** The right panels of some columns, packed by this thread unless packed before. */
    private long panels(int column, int width, int worker) {
        if (packedRight != 0) {
            return rightPanels + 4L * depth * column;
        }
        long panels = spare(worker) + 4L * (NR + SPARE_ROWS) * KC;
        int end = Math.min(columns, column + width);
        for (int j = column; j < end; j += GROUP * NR) {
            packGroup(panels + 4L * depth * (j - column), j / NR, worker);
        }
        return panels;
    }

    /** Left panels times columns, whose panels begin at {@code panels}; along the rows of C. */
    private void tiles(int first, int end, int column, int width, long panels, int worker) {
        int columnEnd = Math.min(columns, column + width);
        if (!ColdStart.isOver()) {
            plain(first, end, column, columnEnd, panels);
            return;
        }
        int tallEnd = Math.min(tallCount, end);
        for (int i = first; i < tallEnd; i++) {
            long a = leftPanels + 4L * depth * LEFT * i;
            int tileRows = Math.min(MR, rows - i * MR);
            for (int j = column; j < columnEnd; j += NR) {
                long b = panels + 4L * depth * (j - column);
                long to = c + (firstRow + i * MR) * cStride + 4L * (firstColumn + j);
                int tileColumns = Math.min(NR, columnEnd - j);
                if (tileRows == MR && tileColumns == NR) {
                    full(to, a, b);
                } else if (tileRows == MR && tileColumns == LANES) {
                    narrow(to, a, b);
                } else {
                    edge(to, a, b, tileRows, tileColumns, worker);
                }
            }
        }
        for (int i = Math.max(first, tallCount); i < end; i++) {
            for (int j = column; j < columnEnd; j += NR) {
                low(i, j, Math.min(NR, columnEnd - j), panels + 4L * depth * (j - column), worker);
            }
        }
    }

    private void plain(int first, int end, int column, int columnEnd, long panels) {
        for (int i = first; i < end; i++) {
            int row = rowOf(i);
            int tileRows = Math.min(rowOf(i + 1), rows) - row;
            long a = leftPanels + 4L * depth * LEFT * i;
            long to = c + (firstRow + row) * cStride + 4L * firstColumn;
            for (int j = column; j < columnEnd; j += NR) {
                Plain.tile(
                        to + 4L * j,
                        cStride,
                        tileRows,
                        Math.min(NR, columnEnd - j),
                        a,
                        LEFT,
                        panels + 4L * depth * (j - column),
                        depth,
                        alpha,
                        adding);
            }
        }
    }

    /** A tile of the last rows. */
    private void low(int panel, int column, int tileColumns, long b, int worker) {
        int row = rowOf(panel);
        int tileRows = Math.min(Tile4.ROWS, rows - row);
        long a = leftPanels + 4L * depth * LEFT * panel;
        long to = c + (firstRow + row) * cStride + 4L * (firstColumn + column);
        if (tileRows < Tile4.ROWS || tileColumns < NR) {
            long tile = own[worker].floats(OWN);
            Tile4.set(tile, 2 * BYTES, a, b, depth, 1);
            edgeRows(to, tile, tileRows, tileColumns);
        } else if (adding) {
            Tile4.add(to, cStride, a, b, depth, alpha);
        } else {
            Tile4.set(to, cStride, a, b, depth, alpha);
        }
    }

    private void full(long to, long a, long b) {
        if (adding) {
            add(to, cStride, a, b);
        } else {
            set(to, cStride, a, b, alpha);
        }
    }

    private void set(long to, long stride, long a, long b, float factor) {
        if (WIDE_LANES) {
            Tile8.set(to, stride, a, b, depth, factor);
        } else {
            Tile6.set(to, stride, a, b, depth, factor);
        }
    }

    private void add(long to, long stride, long a, long b) {
        if (WIDE_LANES) {
            Tile8.add(to, stride, a, b, depth, alpha);
        } else {
            Tile6.add(to, stride, a, b, depth, alpha);
        }
    }

    private void narrow(long to, long a, long b) {
        if (WIDE_LANES) {
            if (adding) {
                Tile8.addNarrow(to, cStride, a, b, depth, alpha);
            } else {
                Tile8.setNarrow(to, cStride, a, b, depth, alpha);
            }
        } else if (adding) {
            Tile6.addNarrow(to, cStride, a, b, depth, alpha);
        } else {
            Tile6.setNarrow(to, cStride, a, b, depth, alpha);
        }
    }

    /** A tile that crosses C's border is computed in scratch memory; its elements are rounded as in whole tiles, whatever the row. */
    private void edge(long to, long a, long b, int tileRows, int tileColumns, int worker) {
        long tile = own[worker].floats(OWN);
        if (tileColumns > LANES) {
            set(tile, 2 * BYTES, a, b, 1);
        } else if (WIDE_LANES) {
            Tile8.setNarrow(tile, 2 * BYTES, a, b, depth, 1);
        } else {
            Tile6.setNarrow(tile, 2 * BYTES, a, b, depth, 1);
        }
        edgeRows(to, tile, tileRows, tileColumns);
    }

    private void edgeRows(long to, long tile, int tileRows, int tileColumns) {
        for (int i = 0; i < tileRows; i++) {
            edgeRow(to + i * cStride, tile + i * 2 * BYTES, tileColumns);
        }
    }

    private void edgeRow(long to, long tile, int count) {
        int j = 0;
        for (; j + LANES <= count; j += LANES) {
            FloatVector value = FloatVector.fromMemorySegment(FLOATS, MEMORY, tile + 4L * j, ORDER);
            FloatVector sum = adding
                    ? value.fma(
                            FloatVector.broadcast(FLOATS, alpha),
                            FloatVector.fromMemorySegment(FLOATS, MEMORY, to + 4L * j, ORDER))
                    : value.mul(alpha);
            sum.intoMemorySegment(MEMORY, to + 4L * j, ORDER);
        }
        for (; j < count; j++) {
            float value = MEMORY.get(FLOAT, tile + 4L * j);
            long at = to + 4L * j;
            MEMORY.set(FLOAT, at, adding ? Math.fma(value, alpha, MEMORY.get(FLOAT, at)) : value * alpha);
        }
    }

    @Override
    public void close() {
        packed.close();
        for (Scratch scratch : own) {
            scratch.close();
        }
    }
}
