package org.calm4j.engine.op.simd;

import static org.calm4j.engine.op.simd.vec.Vectors.FLOAT;
import static org.calm4j.engine.op.simd.vec.Vectors.MEMORY;

import org.calm4j.engine.op.simd.vec.Dot;
import org.calm4j.engine.op.simd.vec.FrozenWeights;
import org.calm4j.engine.op.simd.vec.Mix;
import org.calm4j.engine.op.simd.vec.Native;
import org.calm4j.engine.op.simd.vec.Product;
import org.calm4j.engine.op.simd.vec.Scratch;
import org.calm4j.engine.op.simd.vec.Vectors;
import org.calm4j.engine.op.simd.vec.Widen;
import org.calm4j.engine.op.simd.vec.WorkerPool;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;

/** The products with a weight (N,K), for x (T,K); few rows bypass packing and read the weight directly. */
final class Linear implements AutoCloseable {
    /** Up to this many rows of x (decoding), reading the weight once beats packing it. */
    private static final int FEW_ROWS = 8;
    /** The same for a frozen weight, which is packed already. */
    private static final int FEW_FROZEN_ROWS = 5;
    /** Inner products of fewer elements cost more than packing. */
    private static final int MIN_INNER_LENGTH = 128;
    /** Minimum columns for adding the rows of a weight up one by one. */
    private static final int MIN_ROW_COLUMNS = 64;
    /** Up to this many elements a weight fits in the cache; adding its rows up one by one then pays for at most two rows of x. */
    private static final long CACHED_ELEMENTS = 1 << 18;

    private static final int ROWS_AT_ONCE = 4;
    /** Up to this many outputs, reading x once beats packing it. */
    private static final int FEW_OUTPUTS = 8;
    /** A weight of up to this many elements fits in the L2 cache; from there, unlike from memory, four rows at once are faster than one. */
    private static final long CACHED = 1 << 16;
    /** Weight rows of one task. */
    private static final int TASK_ROWS = 32;
    /** Columns of one task, where the weight's columns are the outputs: longer pieces of a row are read faster, but each thread needs some. */
    private static final int LEAST_COLUMNS = 512;

    private static final int MOST_COLUMNS = 4096;
    private static final int WEIGHT_ROWS = 8;
    private static final double READ_PER_NANO = 4;

    private final WorkerPool pool;
    private final Product product;
    private final FrozenWeights frozen;
    private final Scratch[] own;
    private final WorkerPool.Task fewTask = this::few;
    private final WorkerPool.Task columnTask = this::column;
    private final WorkerPool.Task fewInputTask = this::fewInput;

    private long out;
    private long outStride;
    private long x;
    private long xStride;
    private long w;
    private DType type;
    private int t;
    private int n;
    private int k;
    private float alpha;
    private boolean add;
    private int taskColumns;

    Linear(WorkerPool pool) {
        this.pool = pool;
        product = new Product(pool);
        frozen = new FrozenWeights(product);
        own = new Scratch[pool.threads()];
        for (int i = 0; i < own.length; i++) {
            own[i] = new Scratch();
        }
    }

    /** A weight (N,K) that products may read in another form: it is constant until its memory is closed. */
    void freeze(Tensor w) {
        frozen.add(w);
    }

    /** Sets or adds {@code out[t,n] = α Σₖ x[t,k] w[n,k]}. */
    void forward(Tensor out, Tensor x, Tensor w, double alpha, boolean add) {
        long t = x.dim(0);
        long n = w.dim(0);
        long k = w.dim(1);
        forward(Native.f32(out, t * n), Native.f32(x, t * k), w, 0, (int) t, (int) n, (float) alpha, add, 4 * n);
    }

    /**
     * The same for n rows of w.
     *
     * @param firstRow of w, a multiple of a panel's columns
     * @param outStride bytes from one row of out to the next
     */
    void forward(
            long out, long x, Tensor weight, int firstRow, int t, int n, float alpha, boolean add, long outStride) {
        int k = (int) weight.dim(1);
        DType type = weight.type();
        long w = Native.weight(weight, weight.dim(0) * k) + (long) type.bytes() * k * firstRow;
        boolean few = t <= fewRows(weight) && (t == 1 || k >= MIN_INNER_LENGTH);
        if (!few && n > FEW_OUTPUTS) {
            long panels = frozen.forward(weight);
            product.left(x, 4L * k).rightTransposed(w, (long) type.bytes() * k, type);
            if (panels != 0) {
                product.packedRight(panels, firstRow, (int) weight.dim(0));
            }
            product.into(out, outStride, t, n, k, alpha, add);
            return;
        }
        hold(out, outStride, x, 4L * k, w, type, t, n, k, alpha, add);
        if (few) {
            pool.run(fewTask, (n + TASK_ROWS - 1) / TASK_ROWS, (long) ((double) n * k / READ_PER_NANO));
        } else {
            pool.run(columnTask, (t + TASK_ROWS - 1) / TASK_ROWS, (long) ((double) t * k / READ_PER_NANO));
        }
    }

    /** The operands of the tasks. */
    private void hold(
            long out,
            long outStride,
            long x,
            long xStride,
            long w,
            DType type,
            int t,
            int n,
            int k,
            float alpha,
            boolean add) {
        this.out = out;
        this.outStride = outStride;
        this.x = x;
        this.xStride = xStride;
        this.w = w;
        this.type = type;
        this.t = t;
        this.n = n;
        this.k = k;
        this.alpha = alpha;
        this.add = add;
    }

    private void few(int index, int worker) {
        int end = Math.min(n, (index + 1) * TASK_ROWS);
        int row = index * TASK_ROWS;
        long sums = own[worker].floats(ROWS_AT_ONCE + k);
        if (t < ROWS_AT_ONCE && type == DType.F32 && (long) n * k <= CACHED) {
            for (; row + ROWS_AT_ONCE <= end; row += ROWS_AT_ONCE) {
                for (int i = 0; i < t; i++) {
                    Dot.four(sums, weightRow(row, 0), 4L * k, x + 4L * i * k, k);
                    for (int j = 0; j < ROWS_AT_ONCE; j++) {
                        store(i, row + j, MEMORY.get(FLOAT, sums + 4L * j));
                    }
                }
            }
        }
        for (; row < end; row++) {
            long weight = weightRow(row, sums + 4L * ROWS_AT_ONCE);
            int i = 0;
            for (; i + ROWS_AT_ONCE <= t; i += ROWS_AT_ONCE) {
                Dot.four(sums, x + 4L * i * k, 4L * k, weight, k);
                for (int j = 0; j < ROWS_AT_ONCE; j++) {
                    store(i + j, row, MEMORY.get(FLOAT, sums + 4L * j));
                }
            }
            for (; i < t; i++) {
                store(i, row, Dot.one(x + 4L * i * k, weight, k));
            }
        }
    }

    /** For a weight of few rows: their inner products with each row of x, which is read once. */
    private void column(int index, int worker) {
        long sums = own[worker].floats(ROWS_AT_ONCE + (long) FEW_OUTPUTS * k);
        long rows = w;
        if (type != DType.F32) {
            rows = sums + 4L * ROWS_AT_ONCE;
            Widen.row(rows, w, type, n * k);
        }
        int end = Math.min(t, (index + 1) * TASK_ROWS);
        for (int i = index * TASK_ROWS; i < end; i++) {
            int j = 0;
            for (; j + ROWS_AT_ONCE <= n; j += ROWS_AT_ONCE) {
                Dot.four(sums, rows + 4L * j * k, 4L * k, x + 4L * i * k, k);
                for (int l = 0; l < ROWS_AT_ONCE; l++) {
                    store(i, j + l, MEMORY.get(FLOAT, sums + 4L * l));
                }
            }
            for (; j < n; j++) {
                store(i, j, Dot.one(x + 4L * i * k, rows + 4L * j * k, k));
            }
        }
    }

    private long weightRow(int row, long wide) {
        long address = w + (long) row * k * type.bytes();
        if (type == DType.F32) {
            return address;
        }
        Widen.row(wide, address, type, k);
        return wide;
    }

    private void store(int i, int j, float sum) {
        long at = out + i * outStride + 4L * j;
        MEMORY.set(FLOAT, at, add ? Math.fma(alpha, sum, MEMORY.get(FLOAT, at)) : alpha * sum);
    }

    private int fewRows(Tensor weight) {
        return frozen.contains(weight) ? FEW_FROZEN_ROWS : FEW_ROWS;
    }

    /** Sets or adds {@code dX[t,k] = α Σₙ dOut[t,n] w[n,k]}. */
    void backwardInput(Tensor dX, Tensor dOut, Tensor w, double alpha, boolean add) {
        long t = dOut.dim(0);
        long n = w.dim(0);
        long k = w.dim(1);
        if (!isFewInput((int) t, n, k, fewRows(w))) {
            long panels = frozen.backward(w);
            if (panels != 0) {
                product.left(Native.f32(dOut, t * n), 4 * n)
                        .packedRight(panels, 0, (int) k)
                        .into(Native.f32(dX, t * k), 4 * k, (int) t, (int) k, (int) n, (float) alpha, add);
                return;
            }
        }
        backwardInput(
                Native.f32(dX, t * k),
                Native.f32(dOut, t * n),
                Native.weight(w, n * k),
                w.type(),
                (int) t,
                (int) n,
                (int) k,
                (float) alpha,
                add,
                4 * n,
                fewRows(w));
    }

    /** The same on addresses, for a weight that is not frozen; rows of dOut are this many bytes apart. */
    void backwardInput(
            long dX, long dOut, long w, DType type, int t, int n, int k, float alpha, boolean add, long dOutStride) {
        backwardInput(dX, dOut, w, type, t, n, k, alpha, add, dOutStride, FEW_ROWS);
    }

    private static boolean isFewInput(int t, long n, long k, int fewRows) {
        return t <= fewRows && k >= MIN_ROW_COLUMNS && (t <= 2 || n * k > CACHED_ELEMENTS);
    }

    private void backwardInput(
            long dX,
            long dOut,
            long w,
            DType type,
            int t,
            int n,
            int k,
            float alpha,
            boolean add,
            long dOutStride,
            int fewRows) {
        if (!isFewInput(t, n, k, fewRows)) {
            product.left(dOut, dOutStride)
                    .right(w, (long) type.bytes() * k, type)
                    .into(dX, 4L * k, t, k, n, alpha, add);
            return;
        }
        hold(dX, 4L * k, dOut, dOutStride, w, type, t, n, k, alpha, add);
        int wanted = pool.threads() == 1 ? k : k / (2 * pool.threads());
        taskColumns = Math.clamp(Vectors.roundUp(wanted), LEAST_COLUMNS, MOST_COLUMNS);
        pool.run(fewInputTask, (k + taskColumns - 1) / taskColumns, (long) ((double) n * k / READ_PER_NANO));
    }

    /** For few rows (decoding, where weights are stored (K,N)): the weight is read once, some of its rows at a time. */
    private void fewInput(int index, int worker) {
        int column = index * taskColumns;
        int width = Math.min(taskColumns, k - column);
        long factors = own[worker].floats(WEIGHT_ROWS + WEIGHT_ROWS * (long) taskColumns);
        for (int i = 0; i < t && !add; i++) {
            MEMORY.asSlice(out + i * outStride + 4L * column, 4L * width).fill((byte) 0);
        }
        for (int row = 0; row < n; row += WEIGHT_ROWS) {
            int count = Math.min(WEIGHT_ROWS, n - row);
            long rows = w + ((long) row * k + column) * type.bytes();
            long stride = (long) k * type.bytes();
            if (type != DType.F32) {
                long wide = factors + 4L * WEIGHT_ROWS;
                for (int j = 0; j < count; j++) {
                    Widen.row(wide + 4L * j * width, rows + j * stride, type, width);
                }
                rows = wide;
                stride = 4L * width;
            }
            for (int i = 0; i < t; i++) {
                for (int j = 0; j < count; j++) {
                    MEMORY.set(FLOAT, factors + 4L * j, alpha * MEMORY.get(FLOAT, x + i * xStride + 4L * (row + j)));
                }
                long to = out + i * outStride + 4L * column;
                if (count == WEIGHT_ROWS) {
                    Mix.eightRows(to, factors, rows, stride, width);
                } else {
                    Mix.rows(to, factors, 4, rows, stride, count, width, true);
                }
            }
        }
    }

    /** Sets or adds {@code dW[n,k] = α Σₜ dOut[t,n] x[t,k]}. */
    void backwardWeight(Tensor dW, Tensor dOut, Tensor x, double alpha, boolean add) {
        long t = x.dim(0);
        long n = dW.dim(0);
        long k = dW.dim(1);
        backwardWeight(
                Native.f32(dW, n * k),
                Native.f32(dOut, t * n),
                Native.f32(x, t * k),
                (int) t,
                (int) n,
                (int) k,
                (float) alpha,
                add,
                4 * n);
    }

    void backwardWeight(long dW, long dOut, long x, int t, int n, int k, float alpha, boolean add, long dOutStride) {
        product.leftTransposed(dOut, dOutStride).right(x, 4L * k, DType.F32).into(dW, 4L * k, n, k, t, alpha, add);
    }

    @Override
    public void close() {
        product.close();
        for (Scratch scratch : own) {
            scratch.close();
        }
    }
}
