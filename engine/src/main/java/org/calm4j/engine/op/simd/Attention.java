package org.calm4j.engine.op.simd;

import static org.calm4j.engine.op.simd.vec.Vectors.FLOAT;
import static org.calm4j.engine.op.simd.vec.Vectors.FLOATS;
import static org.calm4j.engine.op.simd.vec.Vectors.LANES;
import static org.calm4j.engine.op.simd.vec.Vectors.MEMORY;
import static org.calm4j.engine.op.simd.vec.Vectors.ORDER;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import org.calm4j.engine.op.Segments;
import org.calm4j.engine.op.simd.vec.Dot;
import org.calm4j.engine.op.simd.vec.Exp;
import org.calm4j.engine.op.simd.vec.Mix;
import org.calm4j.engine.op.simd.vec.Native;
import org.calm4j.engine.op.simd.vec.Product;
import org.calm4j.engine.op.simd.vec.Scale;
import org.calm4j.engine.op.simd.vec.Scratch;
import org.calm4j.engine.op.simd.vec.Vectors;
import org.calm4j.engine.op.simd.vec.WorkerPool;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;

/**
 * Causal softmax attention over the forest of segments: q (T,H,D), k and v (S,G,D); query head h reads key head h/(H/G).
 *
 * <p>Forward: a task is one head of a block of a segment's queries; its scores against all keys that it sees are a product, segment by
 * segment up the tree. Backward, as in FlashAttention (Dao et al. 2022): a task is one key head of a tree, so that it alone adds to its
 * dK and dV, in the order of segments.
 */
final class Attention implements AutoCloseable {
    /** Queries of a block: whole panels of both six and eight rows. */
    private static final int QUERIES = 48;
    /** Keys that the backward pass takes at once. */
    private static final int KEYS = 256;
    /** Up to this many queries (decoding) or scores (short texts), keys and values are read in place: packing them would cost more. */
    private static final int FEW_QUERIES = 4;

    private static final int FEW_SCORES = 1600;
    private static final int KEYS_AT_ONCE = 4;
    private static final double PER_NANO = 10;
    private static final int NO_WINDOW = 1 << 30;

    private final WorkerPool pool;
    private final WorkerPool inline = new WorkerPool(1);
    private final Product[] products;
    private final Scratch[] own;
    private final WorkerPool.Task forwardTask = this::forward;
    private final WorkerPool.Task backwardTask = this::backward;

    // Blocks of queries for the forward pass; segments ordered by tree for the backward pass.
    private int[] blockSegment = new int[64];
    private int[] blockFirst = new int[64];
    private int[] treeStart = new int[64];
    private int[] treeSegment = new int[64];
    private int[] treeOfSegment = new int[64];

    private Segments segments;
    private long q;
    private long k;
    private long v;
    private long out;
    private long lse;
    private long dQ;
    private long dK;
    private long dV;
    private long dOut;
    private int heads;
    private int keyHeads;
    private int d;
    private long queryStride;
    private long keyStride;
    private float scale;
    private int window;

    Attention(WorkerPool pool) {
        this.pool = pool;
        products = new Product[pool.threads()];
        own = new Scratch[pool.threads()];
        for (int i = 0; i < own.length; i++) {
            products[i] = new Product(inline);
            own[i] = new Scratch();
        }
    }

    private void bind(Tensor q, Tensor k, Tensor v, Segments segments, double scale, int window) {
        this.segments = segments;
        heads = (int) q.dim(1);
        keyHeads = (int) k.dim(1);
        d = (int) q.dim(2);
        if (heads % keyHeads != 0 || k.dim(2) != d) {
            throw new IllegalArgumentException("no attention between " + q + " and " + k);
        }
        if (!(scale > 0)) {
            throw new IllegalArgumentException("scores are scaled by " + scale);
        }
        this.q = Native.f32(q, q.size());
        this.k = Native.f32(k, k.size());
        this.v = Native.f32(v, k.size());
        this.scale = (float) scale;
        this.window = window == 0 ? NO_WINDOW : window;
        queryStride = 4L * heads * d;
        keyStride = 4L * keyHeads * d;
        for (int s = 0; s < segments.count(); s++) {
            if (segments.queryStart(s) < 0
                    || segments.queryStart(s) + segments.queryLength(s) > q.dim(0)
                    || segments.keyStart(s) < 0
                    || segments.keyStart(s) + segments.keyLength(s) > k.dim(0)) {
                throw new IndexOutOfBoundsException("segment " + s + " reaches over the rows of " + q + " or " + k);
            }
        }
    }

    // ---- forward ----

    /** Sets out (T,H,D) and lse (T,H) of every query row. */
    void forward(Tensor out, Tensor lse, Tensor q, Tensor k, Tensor v, Segments segments, double scale, int window) {
        bind(q, k, v, segments, scale, window);
        this.out = Native.f32(out, q.size());
        this.lse = Native.f32(lse, q.dim(0) * heads);
        int blocks = 0;
        double work = 0;
        for (int s = 0; s < segments.count(); s++) {
            int length = segments.queryLength(s);
            work += (double) length * (segments.depth(s) + segments.keyLength(s));
            for (int first = 0; first < length; first += QUERIES) {
                if (blocks == blockSegment.length) {
                    blockSegment = Arrays.copyOf(blockSegment, 2 * blocks);
                    blockFirst = Arrays.copyOf(blockFirst, 2 * blocks);
                }
                blockSegment[blocks] = s;
                blockFirst[blocks++] = first;
            }
        }
        pool.run(forwardTask, blocks * heads, (long) (2 * work * heads * d / PER_NANO));
    }

    private void forward(int task, int worker) {
        int segment = blockSegment[task / heads];
        int first = blockFirst[task / heads];
        int count = Math.min(QUERIES, segments.queryLength(segment) - first);
        int h = task % heads;
        if (few(count, segments.depth(segment) + ownKeys(segment, first + count - 1))) {
            for (int j = first; j < first + count; j++) {
                forwardOne(segment, j, h, worker);
            }
        } else {
            forwardBlock(segment, first, count, h, worker);
        }
    }

    private static boolean few(int queries, int keys) {
        return queries <= FEW_QUERIES || queries * (long) keys <= FEW_SCORES;
    }

    /** Keys of a segment that its query j sees, itself included. */
    private int ownKeys(int segment, int j) {
        return segments.keyLength(segment) - segments.queryLength(segment) + j + 1;
    }

    /** The first position that query j of a segment sees. */
    private int lowest(int segment, int j) {
        return Math.max(0, segments.depth(segment) + ownKeys(segment, j) - window);
    }

    /** Keys of a segment, up to and including those of its query j, or of an ancestor of the query's segment. */
    private int keys(int s, int segment, int j) {
        return s == segment ? ownKeys(segment, j) : segments.keyLength(s);
    }

    private long keyOffset(int segment, int h) {
        return segments.keyStart(segment) * keyStride + 4L * (h / (heads / keyHeads)) * d;
    }

    private void forwardBlock(int segment, int first, int count, int h, int worker) {
        // Scores are stored by position, from the lowest that any of the queries sees.
        int low = lowest(segment, first);
        int last = first + count - 1;
        int keys = segments.depth(segment) + ownKeys(segment, last) - low;
        // One vector more: exponentials are computed in whole vectors from the first visible score on.
        long stride = 4L * (Vectors.roundUp(keys) + LANES);
        long scores = own[worker].floats(count * stride / 4);
        long row = segments.queryStart(segment) + (long) first;
        long head = row * queryStride + 4L * h * d;
        Product product = products[worker];
        for (int s = segment;
                s != Segments.NONE && segments.depth(s) + keys(s, segment, last) > low;
                s = segments.parent(s)) {
            int skipped = Math.max(0, low - segments.depth(s));
            product.left(q + head, queryStride)
                    .rightTransposed(k + keyOffset(s, h) + skipped * keyStride, keyStride, DType.F32)
                    .into(
                            scores + 4L * (segments.depth(s) + skipped - low),
                            stride,
                            count,
                            keys(s, segment, last) - skipped,
                            d,
                            1,
                            false);
        }
        for (int i = 0; i < count; i++) {
            int unseen = lowest(segment, first + i) - low;
            zero(scores + i * stride, unseen);
            int visible = segments.depth(segment) + ownKeys(segment, first + i) - low - unseen;
            softmax(scores + i * stride + 4L * unseen, visible, keys - unseen, (row + i) * heads + h);
        }
        for (int s = segment;
                s != Segments.NONE && segments.depth(s) + keys(s, segment, last) > low;
                s = segments.parent(s)) {
            int skipped = Math.max(0, low - segments.depth(s));
            product.left(scores + 4L * (segments.depth(s) + skipped - low), stride)
                    .right(v + keyOffset(s, h) + skipped * keyStride, keyStride, DType.F32)
                    .into(out + head, queryStride, count, d, keys(s, segment, last) - skipped, 1, s != segment);
        }
    }

    /** Unscaled scores to probabilities; zero after the visible ones. */
    private void softmax(long scores, int visible, int keys, long at) {
        float max = scale * Exp.max(scores, visible);
        double sum = Exp.wholeVectors(scores, scores, visible, scale, max);
        Scale.row(scores, (float) (1 / sum), visible);
        zero(scores + 4L * visible, keys - visible);
        MEMORY.set(FLOAT, lse + 4 * at, (float) (max + Math.log(sum)));
    }

    private void forwardOne(int segment, int j, int h, int worker) {
        int low = lowest(segment, j);
        int keys = segments.depth(segment) + ownKeys(segment, j) - low;
        long scores = own[worker].floats(Vectors.roundUp(keys));
        long row = segments.queryStart(segment) + (long) j;
        long head = row * queryStride + 4L * h * d;
        for (int s = segment;
                s != Segments.NONE && segments.depth(s) + keys(s, segment, j) > low;
                s = segments.parent(s)) {
            int skipped = Math.max(0, low - segments.depth(s));
            dots(
                    scores + 4L * (segments.depth(s) + skipped - low),
                    q + head,
                    k + keyOffset(s, h) + skipped * keyStride,
                    keys(s, segment, j) - skipped);
        }
        softmax(scores, keys, keys, row * heads + h);
        for (int s = segment;
                s != Segments.NONE && segments.depth(s) + keys(s, segment, j) > low;
                s = segments.parent(s)) {
            int skipped = Math.max(0, low - segments.depth(s));
            Mix.rows(
                    out + head,
                    scores + 4L * (segments.depth(s) + skipped - low),
                    4,
                    v + keyOffset(s, h) + skipped * keyStride,
                    keyStride,
                    keys(s, segment, j) - skipped,
                    d,
                    s != segment);
        }
    }

    /** {@code to[i] = x·row[i]} for n rows of keys or values. */
    private void dots(long to, long x, long rows, int n) {
        int i = 0;
        for (; i + KEYS_AT_ONCE <= n; i += KEYS_AT_ONCE) {
            Dot.four(to + 4L * i, rows + i * keyStride, keyStride, x, d);
        }
        for (; i < n; i++) {
            MEMORY.set(FLOAT, to + 4L * i, Dot.one(x, rows + i * keyStride, d));
        }
    }

    // ---- backward ----

    /** Sets dQ (T,H,D), dK and dV (S,G,D). */
    void backward(
            Tensor dQ,
            Tensor dK,
            Tensor dV,
            Tensor dOut,
            Tensor out,
            Tensor lse,
            Tensor q,
            Tensor k,
            Tensor v,
            Segments segments,
            double scale,
            int window) {
        bind(q, k, v, segments, scale, window);
        this.dQ = Native.f32(dQ, q.size());
        this.dK = Native.f32(dK, k.size());
        this.dV = Native.f32(dV, k.size());
        this.dOut = Native.f32(dOut, q.size());
        this.out = Native.f32(out, q.size());
        this.lse = Native.f32(lse, q.dim(0) * heads);
        dQ.segment().fill((byte) 0);
        dK.segment().fill((byte) 0);
        dV.segment().fill((byte) 0);
        int trees = plantTrees();
        double work = 0;
        for (int s = 0; s < segments.count(); s++) {
            work += (double) segments.queryLength(s) * (segments.depth(s) + segments.keyLength(s));
        }
        pool.run(backwardTask, trees * keyHeads, (long) (5 * work * heads * d / PER_NANO));
    }

    /** Orders segments by tree, and within a tree by index; returns the number of trees. */
    private int plantTrees() {
        int count = segments.count();
        if (treeOfSegment.length < count) {
            treeOfSegment = new int[2 * count];
            treeSegment = new int[2 * count];
        }
        if (treeStart.length < count + 2) {
            treeStart = new int[2 * count + 2];
        }
        int trees = 0;
        for (int s = 0; s < count; s++) {
            int parent = segments.parent(s);
            treeOfSegment[s] = parent == Segments.NONE ? trees++ : treeOfSegment[parent];
        }
        Arrays.fill(treeStart, 0, trees + 2, 0);
        // Counted one place too far right, the starts move into place as segments are inserted.
        for (int s = 0; s < count; s++) {
            treeStart[treeOfSegment[s] + 2]++;
        }
        for (int tree = 0; tree < trees; tree++) {
            treeStart[tree + 2] += treeStart[tree + 1];
        }
        for (int s = 0; s < count; s++) {
            treeSegment[treeStart[treeOfSegment[s] + 1]++] = s;
        }
        return trees;
    }

    private void backward(int task, int worker) {
        int tree = task / keyHeads;
        int g = task % keyHeads;
        int group = heads / keyHeads;
        for (int i = treeStart[tree]; i < treeStart[tree + 1]; i++) {
            int segment = treeSegment[i];
            for (int first = 0; first < segments.queryLength(segment); first += QUERIES) {
                int count = Math.min(QUERIES, segments.queryLength(segment) - first);
                for (int h = g * group; h < (g + 1) * group; h++) {
                    backwardBlock(segment, first, count, h, worker);
                }
            }
        }
    }

    private void backwardBlock(int segment, int first, int count, int h, int worker) {
        long delta = own[worker].floats(QUERIES + 2L * QUERIES * (KEYS + LANES));
        long probability = delta + 4L * QUERIES;
        long dScore = probability + 4L * QUERIES * (KEYS + LANES);
        long row = segments.queryStart(segment) + (long) first;
        long head = row * queryStride + 4L * h * d;
        for (int i = 0; i < count; i++) {
            MEMORY.set(FLOAT, delta + 4L * i, Dot.one(dOut + head + i * queryStride, out + head + i * queryStride, d));
        }
        int position = segments.depth(segment) + ownKeys(segment, first) - 1;
        for (int s = segment; s != Segments.NONE; s = segments.parent(s)) {
            int n = keys(s, segment, first + count - 1);
            for (int key = Math.max(0, lowest(segment, first) - segments.depth(s)); key < n; key += KEYS) {
                int keys = Math.min(KEYS, n - key);
                // The first query sees the keys from one number to another; each one after it sees one more and one
                // fewer.
                int visible = s == segment ? ownKeys(segment, first) - key : Integer.MAX_VALUE - QUERIES;
                int unseen = position + 1 - window - segments.depth(s) - key;
                backwardKeys(
                        products[worker],
                        head,
                        row * heads + h,
                        count,
                        keyOffset(s, h) + key * keyStride,
                        keys,
                        unseen,
                        visible,
                        probability,
                        dScore,
                        delta);
            }
        }
    }

    private void backwardKeys(
            Product product,
            long head,
            long at,
            int count,
            long key,
            int keys,
            int unseen,
            int visible,
            long probability,
            long dScore,
            long delta) {
        long stride = 4L * (Vectors.roundUp(keys) + LANES);
        boolean few = few(count, keys);
        if (!few) {
            product.left(q + head, queryStride)
                    .rightTransposed(k + key, keyStride, DType.F32)
                    .into(probability, stride, count, keys, d, 1, false);
            product.left(dOut + head, queryStride)
                    .rightTransposed(v + key, keyStride, DType.F32)
                    .into(dScore, stride, count, keys, d, 1, false);
        }
        for (int i = 0; i < count; i++) {
            int low = Math.clamp(unseen + i, 0, keys);
            int end = Math.clamp(visible + i, low, keys);
            long p = probability + i * stride;
            long dS = dScore + i * stride;
            if (few) {
                dots(p + 4L * low, q + head + i * queryStride, k + key + low * keyStride, end - low);
                dots(dS + 4L * low, dOut + head + i * queryStride, v + key + low * keyStride, end - low);
            }
            Exp.wholeVectors(
                    p + 4L * low, p + 4L * low, end - low, scale, MEMORY.get(FLOAT, lse + 4 * (at + (long) i * heads)));
            scores(dS + 4L * low, p + 4L * low, MEMORY.get(FLOAT, delta + 4L * i), scale, end - low);
            zero(p, low);
            zero(dS, low);
            zero(p + 4L * end, keys - end);
            zero(dS + 4L * end, keys - end);
        }
        if (few) {
            mix(head, count, key, keys, unseen, visible, probability, dScore);
            return;
        }
        product.leftTransposed(probability, stride)
                .right(dOut + head, queryStride, DType.F32)
                .into(dV + key, keyStride, keys, d, count, 1, true);
        product.left(dScore, stride)
                .right(k + key, keyStride, DType.F32)
                .into(dQ + head, queryStride, count, d, keys, 1, true);
        product.leftTransposed(dScore, stride)
                .right(q + head, queryStride, DType.F32)
                .into(dK + key, keyStride, keys, d, count, 1, true);
    }

    /** The same three products row by row, without those that mask and window make zero. */
    private void mix(long head, int count, long key, int keys, int unseen, int visible, long probability, long dScore) {
        long stride = 4L * (Vectors.roundUp(keys) + LANES);
        for (int i = 0; i < count; i++) {
            int low = Math.clamp(unseen + i, 0, keys);
            int end = Math.clamp(visible + i, low, keys);
            Mix.rows(
                    dQ + head + i * queryStride,
                    dScore + i * stride + 4L * low,
                    4,
                    k + key + low * keyStride,
                    keyStride,
                    end - low,
                    d,
                    true);
        }
        for (int j = 0; j < keys; j++) {
            int first = Math.clamp(j + 1 - visible, 0, count);
            int end = Math.clamp(j + 1L - unseen, first, count);
            long from = head + first * queryStride;
            long at = first * stride + 4L * j;
            Mix.rows(
                    dV + key + j * keyStride, probability + at, stride, dOut + from, queryStride, end - first, d, true);
            Mix.rows(dK + key + j * keyStride, dScore + at, stride, q + from, queryStride, end - first, d, true);
        }
    }

    private static void zero(long at, int count) {
        if (count > 0) {
            MEMORY.asSlice(at, 4L * count).fill((byte) 0);
        }
    }

    /** {@code dScore = scale·p·(dP − dOut·out)}, in place of dP. */
    private static void scores(long dScore, long p, float delta, float scale, int count) {
        int i = 0;
        for (; i <= count - LANES; i += LANES) {
            FloatVector.fromMemorySegment(FLOATS, MEMORY, dScore + 4L * i, ORDER)
                    .sub(delta)
                    .mul(FloatVector.fromMemorySegment(FLOATS, MEMORY, p + 4L * i, ORDER))
                    .mul(scale)
                    .intoMemorySegment(MEMORY, dScore + 4L * i, ORDER);
        }
        for (; i < count; i++) {
            float change = MEMORY.get(FLOAT, dScore + 4L * i) - delta;
            MEMORY.set(FLOAT, dScore + 4L * i, change * MEMORY.get(FLOAT, p + 4L * i) * scale);
        }
    }

    @Override
    public void close() {
        for (int i = 0; i < own.length; i++) {
            products[i].close();
            own[i].close();
        }
    }
}
