package org.calm4j.engine.op.simd;

import static org.calm4j.engine.op.simd.vec.Vectors.DOUBLE;
import static org.calm4j.engine.op.simd.vec.Vectors.FLOAT;
import static org.calm4j.engine.op.simd.vec.Vectors.INT;
import static org.calm4j.engine.op.simd.vec.Vectors.MEMORY;

import org.calm4j.engine.op.TokenStatistic;
import org.calm4j.engine.op.simd.vec.Exp;
import org.calm4j.engine.op.simd.vec.Moments;
import org.calm4j.engine.op.simd.vec.Native;
import org.calm4j.engine.op.simd.vec.Scale;
import org.calm4j.engine.op.simd.vec.Scratch;
import org.calm4j.engine.op.simd.vec.Vectors;
import org.calm4j.engine.op.simd.vec.WorkerPool;
import org.calm4j.engine.tensor.Tensor;

/**
 * {@code log softmax(x·wᵀ)} at one target per row: x (N,C), w (V,C). The logits of some rows and some words at a time, which stay in the cache,
 * with the sum of exponentials carried from words to words (Milakov &amp; Gimelshein 2018); so w and its gradient pass through once for many rows.
 * If they are kept for the backward pass, these blocks are stored one after another.
 */
final class TokenLogProb implements AutoCloseable {
    private static final int ROWS = 512;
    private static final int WORDS = 1024;
    private static final int TASK_ROWS = 4;
    private static final double PER_NANO = 1;
    /** Bytes carried for a row: the greatest logit so far, the sum of exponentials relative to it, and the three of {@link Moments}. */
    private static final int CARRIED = 40;

    private static final int SUM = 8;
    private static final int MOMENTS = 16;

    private final WorkerPool pool;
    private final Linear linear;
    private final Scratch scratch = new Scratch();
    private final WorkerPool.Task forwardTask = this::forward;
    private final WorkerPool.Task lastTask = this::last;
    private final WorkerPool.Task backwardTask = this::backward;

    private long carried;
    /** Memory for the logits of one block. */
    private long block;

    private long logits;
    /** Bytes from one row of logits to the next: whole vectors. */
    private long stride;

    private int rows;
    /** For each worker: exponentials that are not read. */
    private long exponentials;

    private boolean keeping;
    private int firstWord;
    private int words;
    private long logProb;
    private long lse;
    /** 0 where there are none. */
    private long statistics;

    private int vocabulary;
    private long target;
    private long coefficient;

    TokenLogProb(WorkerPool pool, Linear linear) {
        this.pool = pool;
        this.linear = linear;
    }

    /** Sets logProb (N), lse (N), and statistics unless it is null. */
    void forward(Tensor logProb, Tensor lse, Tensor statistics, Tensor x, Tensor w, Tensor target, Tensor kept) {
        int n = (int) x.dim(0);
        int c = (int) x.dim(1);
        int v = (int) w.dim(0);
        long logProbs = Native.f32(logProb, n);
        long lses = Native.f32(lse, n);
        long rowBytes = 4L * TokenStatistic.COUNT;
        long all = statistics == null ? 0 : Native.f32(statistics, (long) n * TokenStatistic.COUNT);
        vocabulary = v;
        long xs = Native.f32(x, x.size());
        long targets = Native.indices(target, n, v);
        reserve(n, v);
        long keptAt = kept == null ? 0 : Native.f32(kept, kept(n, v));
        for (int first = 0; first < n; first += ROWS) {
            rows = Math.min(ROWS, n - first);
            this.logProb = logProbs + 4L * first;
            this.lse = lses + 4L * first;
            this.statistics = all == 0 ? 0 : all + rowBytes * first;
            this.target = targets + 4L * first;
            for (firstWord = 0; firstWord < v; firstWord += WORDS) {
                takeWords(v, keptAt, first);
                linear.forward(logits, xs + 4L * first * c, w, firstWord, rows, words, 1, false, stride);
                pool.run(forwardTask, (rows + TASK_ROWS - 1) / TASK_ROWS, (long) (rows * (double) words / PER_NANO));
            }
            pool.run(lastTask, 1, 0);
        }
    }

    /**
     * With {@code dLogit[v] = coefficient (1{v = target} − softmax[v])}: sets {@code dX = dLogit·w}, and sets or adds
     * {@code dW = dLogitᵀ·x} unless dW is null.
     */
    void backward(
            Tensor dX,
            Tensor dW,
            Tensor coefficient,
            Tensor x,
            Tensor w,
            Tensor target,
            Tensor lse,
            Tensor kept,
            boolean add) {
        int n = (int) x.dim(0);
        int c = (int) x.dim(1);
        int v = (int) w.dim(0);
        long dXs = Native.f32(dX, x.size());
        long dWeight = dW == null ? 0 : Native.f32(dW, (long) v * c);
        long coefficients = Native.f32(coefficient, n);
        long xs = Native.f32(x, x.size());
        long weight = Native.weight(w, (long) v * c);
        long wordBytes = (long) w.type().bytes() * c;
        long targets = Native.indices(target, n, v);
        long lses = Native.f32(lse, n);
        reserve(n, v);
        long keptAt = kept == null ? 0 : Native.f32(kept, kept(n, v));
        for (int first = 0; first < n; first += ROWS) {
            rows = Math.min(ROWS, n - first);
            long rowsX = xs + 4L * first * c;
            this.coefficient = coefficients + 4L * first;
            this.lse = lses + 4L * first;
            this.target = targets + 4L * first;
            for (firstWord = 0; firstWord < v; firstWord += WORDS) {
                takeWords(v, keptAt, first);
                if (kept == null) {
                    linear.forward(logits, rowsX, w, firstWord, rows, words, 1, false, stride);
                }
                pool.run(backwardTask, (rows + TASK_ROWS - 1) / TASK_ROWS, (long) (rows * (double) words / PER_NANO));
                linear.backwardInput(
                        dXs + 4L * first * c,
                        logits,
                        weight + firstWord * wordBytes,
                        w.type(),
                        rows,
                        words,
                        c,
                        1,
                        firstWord > 0,
                        stride);
                if (dW != null) {
                    linear.backwardWeight(
                            dWeight + 4L * firstWord * c, logits, rowsX, rows, words, c, 1, add || first > 0, stride);
                }
            }
        }
    }

    /** Of one row of logits. */
    double logSumExp(Tensor row) {
        int v = (int) row.size();
        long x = Native.f32(row, v);
        float max = Exp.max(x, v);
        reserve(1, v);
        double sum = 0;
        for (int i = 0; i < v; i += WORDS) {
            sum += Exp.row(block, x + 4L * i, Math.min(WORDS, v - i), 1, max);
        }
        return max + Math.log(sum);
    }

    private void reserve(int n, int v) {
        int most = Math.min(n, ROWS);
        long width = Vectors.roundUp(Math.min(v, WORDS));
        block = scratch.floats((most + pool.threads()) * width + most * CARRIED / 4);
        exponentials = block + 4 * most * width;
        carried = exponentials + 4 * pool.threads() * width;
    }

    /** Floats of all blocks of logits. */
    static long kept(int n, int v) {
        return (long) n * (v - v % WORDS + Vectors.roundUp(v % WORDS));
    }

    /** Words from {@code firstWord} on, for rows from {@code firstRow} on; their logits are one of the kept blocks, or the only block. */
    private void takeWords(int v, long keptAt, int firstRow) {
        words = Math.min(WORDS, v - firstWord);
        stride = 4L * Vectors.roundUp(words);
        keeping = keptAt != 0;
        logits = keeping ? keptAt + 4 * kept(firstRow, v) + 4L * rows * firstWord : block;
    }

    private void forward(int task, int worker) {
        int end = Math.min(rows, (task + 1) * TASK_ROWS);
        for (int i = task * TASK_ROWS; i < end; i++) {
            long row = logits + i * stride;
            long word = MEMORY.get(INT, target + 4L * i) - (long) firstWord;
            if (word >= 0 && word < words) {
                MEMORY.set(FLOAT, logProb + 4L * i, MEMORY.get(FLOAT, row + 4 * word));
            }
            long state = carried + (long) CARRIED * i;
            float max = Exp.max(row, words);
            double sum = 0;
            if (firstWord > 0) {
                float before = MEMORY.get(FLOAT, state);
                max = Math.max(before, max);
                sum = MEMORY.get(DOUBLE, state + SUM) * Math.exp(before - max);
            }
            long to = keeping || statistics != 0 ? exponentials + worker * stride : row;
            double more = Exp.wholeVectors(to, row, words, 1, max);
            if (statistics != 0) {
                carryMoments(state, max);
                Moments.add(state + MOMENTS, to, row, words, max);
            }
            MEMORY.set(FLOAT, state, max);
            MEMORY.set(DOUBLE, state + SUM, sum + more);
        }
    }

    /** The sums so far, relative to a greater logit. */
    private void carryMoments(long state, float max) {
        if (firstWord == 0) {
            for (int i = 0; i < 3; i++) {
                MEMORY.set(DOUBLE, state + MOMENTS + 8 * i, 0);
            }
            return;
        }
        double change = MEMORY.get(FLOAT, state) - (double) max;
        double factor = Math.exp(change);
        double squares = MEMORY.get(DOUBLE, state + MOMENTS);
        double products = MEMORY.get(DOUBLE, state + MOMENTS + 8) + change * MEMORY.get(DOUBLE, state + SUM);
        MEMORY.set(DOUBLE, state + MOMENTS, squares * factor * factor);
        MEMORY.set(DOUBLE, state + MOMENTS + 8, products * factor);
    }

    /** Turns the carried values into the result. */
    private void last(int task, int worker) {
        for (int i = 0; i < rows; i++) {
            long state = carried + (long) CARRIED * i;
            double max = MEMORY.get(FLOAT, state);
            double sum = MEMORY.get(DOUBLE, state + SUM);
            double logSum = Math.log(sum);
            if (statistics != 0) {
                long moments = state + MOMENTS;
                set(i, TokenStatistic.LOG_SUM_SQUARES, Math.log(MEMORY.get(DOUBLE, moments)) - 2 * logSum);
                set(i, TokenStatistic.ENTROPY, logSum - MEMORY.get(DOUBLE, moments + 8) / sum);
                set(i, TokenStatistic.BEHIND, max - MEMORY.get(FLOAT, logProb + 4L * i));
                set(i, TokenStatistic.MEAN_LOGIT, MEMORY.get(DOUBLE, moments + 16) / vocabulary);
            }
            MEMORY.set(FLOAT, lse + 4L * i, (float) (max + logSum));
            MEMORY.set(FLOAT, logProb + 4L * i, (float) (MEMORY.get(FLOAT, logProb + 4L * i) - max - logSum));
        }
    }

    private void set(int row, TokenStatistic column, double value) {
        MEMORY.set(FLOAT, statistics + 4L * (TokenStatistic.COUNT * row + column.ordinal()), (float) value);
    }

    /** Logits become their gradients. */
    private void backward(int task, int worker) {
        int end = Math.min(rows, (task + 1) * TASK_ROWS);
        for (int i = task * TASK_ROWS; i < end; i++) {
            long row = logits + i * stride;
            float factor = MEMORY.get(FLOAT, coefficient + 4L * i);
            Exp.wholeVectors(row, row, words, 1, MEMORY.get(FLOAT, lse + 4L * i));
            long word = MEMORY.get(INT, target + 4L * i) - (long) firstWord;
            if (word >= 0 && word < words) {
                // Before the scaling: 1 − p is more exact than c − c·p.
                long at = row + 4 * word;
                MEMORY.set(FLOAT, at, MEMORY.get(FLOAT, at) - 1);
            }
            Scale.row(row, -factor, words);
        }
    }

    @Override
    public void close() {
        scratch.close();
    }
}
