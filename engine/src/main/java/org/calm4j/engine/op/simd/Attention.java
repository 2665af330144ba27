package org.calm4j.engine.op.simd;

import static org.calm4j.engine.op.simd.Lanes.ALL;
import static org.calm4j.engine.op.simd.Lanes.FLOAT;
import static org.calm4j.engine.op.simd.Lanes.LANES;
import static org.calm4j.engine.op.simd.Lanes.ORDER;
import static org.calm4j.engine.op.simd.Lanes.SPECIES;

import it.unimi.dsi.fastutil.ints.IntArrayList;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import org.calm4j.engine.op.Segments;
import org.calm4j.engine.tensor.HostBuffer;
import org.calm4j.engine.tensor.Tensor;

/**
 * Causal softmax attention over the forest of segments. Forward: a task is a few query rows of a segment and a head. Backward: a task is a
 * tree and a key head, whose keys nobody else touches, so that their gradients add up in one fixed order.
 */
final class Attention {
    private static final int QUERIES_PER_TASK = 16;

    private final WorkerPool pool;
    private HostBuffer scratch = new HostBuffer(0);
    private final IntArrayList taskSegment = new IntArrayList();
    private final IntArrayList taskQuery = new IntArrayList();

    Attention(WorkerPool pool) {
        this.pool = pool;
    }

    /** Addresses and sizes of one call. */
    private record Call(long q, long k, long v, int heads, int groups, int d, float scale, Segments segments) {
        static Call of(Tensor q, Tensor k, Tensor v, Segments segments, double scale) {
            int d = Math.toIntExact(q.dim(2));
            for (int s = 0; s < segments.count(); s++) {
                if (segments.queryStart(s) + segments.queryLength(s) > q.dim(0) || segments.keyStart(s) + segments.keyLength(s) > k.dim(0)) {
                    throw new IndexOutOfBoundsException("segment " + s + " leaves q or k");
                }
            }
            return new Call(Lanes.address(q, q.size()), Lanes.address(k, k.size()), Lanes.address(v, k.size()), Math.toIntExact(q.dim(1)),
                    Math.toIntExact(k.dim(1)), d, (float) scale, segments);
        }

        int group(int head) {
            return head / (heads / groups);
        }

        /** Bytes from the first element of q to a row's head. */
        long query(int row, int head) {
            return 4L * d * ((long) row * heads + head);
        }

        /** Bytes from the first element of k to a row's head. */
        long key(int row, int group) {
            return 4L * d * ((long) row * groups + group);
        }

        long keyStep() {
            return 4L * d * groups;
        }

        /** Keys of a segment that its query j sees. */
        int own(int segment, int j) {
            return segments.keyLength(segment) - segments.queryLength(segment) + j + 1;
        }
    }

    void forward(Tensor out, Tensor lse, Tensor q, Tensor k, Tensor v, Segments segments, double scale) {
        Call call = Call.of(q, k, v, segments, scale);
        long to = Lanes.address(out, q.size());
        long sums = Lanes.address(lse, q.dim(0) * q.dim(1));
        taskSegment.clear();
        taskQuery.clear();
        for (int s = 0; s < segments.count(); s++) {
            for (int j = 0; j < segments.queryLength(s); j += QUERIES_PER_TASK) {
                taskSegment.add(s);
                taskQuery.add(j);
            }
        }
        long room = reserve(segments);
        pool.run(taskSegment.size() * call.heads(), task -> {
            int s = taskSegment.getInt(task / call.heads());
            int first = taskQuery.getInt(task / call.heads());
            int h = task % call.heads();
            long scores = scratch.segment().address() + room * (task % pool.threads());
            for (int j = first; j < Math.min(segments.queryLength(s), first + QUERIES_PER_TASK); j++) {
                int row = segments.queryStart(s) + j;
                int keys = segments.depth(s) + call.own(s, j);
                scores(scores, call, s, j, h);
                float max = max(scores, keys);
                double sum = exp(scores, max, keys);
                ALL.set(FLOAT, sums + 4L * (row * call.heads() + h), (float) (max + Math.log(sum)));
                long o = to + call.query(row, h);
                ALL.asSlice(o, 4L * call.d()).fill((byte) 0);
                for (int p = s, n = call.own(s, j); p != Segments.NONE; p = segments.parent(p), n = p == Segments.NONE ? 0 : segments.keyLength(p)) {
                    mix(o, scores + 4L * segments.depth(p), call.v() + call.key(segments.keyStart(p), call.group(h)), call.keyStep(), n, call.d());
                }
                scale(o, (float) (1 / sum), call.d());
            }
        });
    }

    void backward(Tensor dQ, Tensor dK, Tensor dV, Tensor dOut, Tensor out, Tensor lse, Tensor q, Tensor k, Tensor v, Segments segments,
            double scale) {
        Call call = Call.of(q, k, v, segments, scale);
        long dq = Lanes.address(dQ, q.size());
        long dk = Lanes.address(dK, k.size());
        long dv = Lanes.address(dV, k.size());
        long d = Lanes.address(dOut, q.size());
        long o = Lanes.address(out, q.size());
        long sums = Lanes.address(lse, q.dim(0) * q.dim(1));
        dK.segment().fill((byte) 0);
        dV.segment().fill((byte) 0);
        int[] treeOf = trees(segments);
        int trees = 0;
        for (int tree : treeOf) {
            trees = Math.max(trees, tree + 1);
        }
        long room = reserve(segments);
        pool.run(trees * call.groups(), task -> {
            int g = task % call.groups();
            long p = scratch.segment().address() + room * (task % pool.threads());
            int headsOfGroup = call.heads() / call.groups();
            for (int s = 0; s < treeOf.length; s++) {
                for (int j = 0; treeOf[s] == task / call.groups() && j < segments.queryLength(s); j++) {
                    for (int h = g * headsOfGroup; h < (g + 1) * headsOfGroup; h++) {
                        int row = segments.queryStart(s) + j;
                        long at = call.query(row, h);
                        float log = ALL.get(FLOAT, sums + 4L * (row * call.heads() + h));
                        rowBackward(call, dq + at, dk, dv, d + at, o + at, log, p, p + room / 2, s, j, h);
                    }
                }
            }
        });
    }

    /** The tree each segment belongs to, numbered in order. */
    private static int[] trees(Segments segments) {
        int[] tree = new int[segments.count()];
        int trees = 0;
        for (int s = 0; s < tree.length; s++) {
            tree[s] = segments.parent(s) == Segments.NONE ? trees++ : tree[segments.parent(s)];
        }
        return tree;
    }

    private static void rowBackward(Call call, long dQ, long dK, long dV, long dOut, long out, float lse, long p, long ds, int s, int j, int h) {
        Segments segments = call.segments();
        int keys = segments.depth(s) + call.own(s, j);
        scores(p, call, s, j, h);
        exp(p, lse, keys);
        float delta = dot(dOut, out, call.d());
        ALL.asSlice(dQ, 4L * call.d()).fill((byte) 0);
        long q = call.q() + call.query(segments.queryStart(s) + j, h);
        for (int a = s, n = call.own(s, j); a != Segments.NONE; a = segments.parent(a), n = a == Segments.NONE ? 0 : segments.keyLength(a)) {
            long key = call.key(segments.keyStart(a), call.group(h));
            long offset = 4L * segments.depth(a);
            dots(ds + offset, dOut, call.v() + key, call.keyStep(), n, call.d(), 1);
            toScoreGradient(ds + offset, p + offset, delta, call.scale(), n);
            mix(dQ, ds + offset, call.k() + key, call.keyStep(), n, call.d());
            spread(dK + key, ds + offset, q, call.keyStep(), n, call.d());
            spread(dV + key, p + offset, dOut, call.keyStep(), n, call.d());
        }
    }

    /** Scaled products of a query with all keys it sees, in the order of positions. */
    private static void scores(long scores, Call call, int s, int j, int h) {
        Segments segments = call.segments();
        long query = call.q() + call.query(segments.queryStart(s) + j, h);
        for (int p = s, n = call.own(s, j); p != Segments.NONE; p = segments.parent(p), n = p == Segments.NONE ? 0 : segments.keyLength(p)) {
            long keys = call.k() + call.key(segments.keyStart(p), call.group(h));
            dots(scores + 4L * segments.depth(p), query, keys, call.keyStep(), n, call.d(), call.scale());
        }
    }

    /** Two rows of as many floats as the longest sequence has keys, for each thread; returns the bytes of a thread's part. */
    private long reserve(Segments segments) {
        int keys = 0;
        for (int s = 0; s < segments.count(); s++) {
            keys = Math.max(keys, segments.depth(s) + segments.keyLength(s));
        }
        long room = 2L * 4 * (keys + LANES);
        if (scratch.bytes() < room * pool.threads()) {
            scratch.close();
            scratch = new HostBuffer(2 * room * pool.threads());
        }
        return room;
    }

    // ---- kernels ----

    /** {@code to[i] = factor · q·k[i]}. */
    private static void dots(long to, long q, long k, long step, int n, int d, float factor) {
        for (int i = 0; i < n; i++) {
            ALL.set(FLOAT, to + 4L * i, factor * dot(q, k + i * step, d));
        }
    }

    private static float dot(long a, long b, int d) {
        FloatVector s0 = FloatVector.zero(SPECIES);
        FloatVector s1 = s0;
        int j = 0;
        for (; j + 2 * LANES <= d; j += 2 * LANES) {
            s0 = FloatVector.fromMemorySegment(SPECIES, ALL, a + 4L * j, ORDER)
                    .fma(FloatVector.fromMemorySegment(SPECIES, ALL, b + 4L * j, ORDER), s0);
            s1 = FloatVector.fromMemorySegment(SPECIES, ALL, a + 4L * (j + LANES), ORDER)
                    .fma(FloatVector.fromMemorySegment(SPECIES, ALL, b + 4L * (j + LANES), ORDER), s1);
        }
        float sum = Lanes.sum(s0.add(s1));
        for (; j < d; j++) {
            sum += ALL.get(FLOAT, a + 4L * j) * ALL.get(FLOAT, b + 4L * j);
        }
        return sum;
    }

    /** {@code to += Σᵢ p[i]·rows[i]}. */
    private static void mix(long to, long p, long rows, long step, int n, int d) {
        int j = 0;
        for (; j + 4 * LANES <= d; j += 4 * LANES) {
            mixFour(to + 4L * j, p, rows + 4L * j, step, n);
        }
        for (; j + LANES <= d; j += LANES) {
            mixOne(to + 4L * j, p, rows + 4L * j, step, n);
        }
        for (; j < d; j++) {
            float sum = 0;
            for (int i = 0; i < n; i++) {
                sum = Math.fma(ALL.get(FLOAT, p + 4L * i), ALL.get(FLOAT, rows + i * step + 4L * j), sum);
            }
            ALL.set(FLOAT, to + 4L * j, ALL.get(FLOAT, to + 4L * j) + sum);
        }
    }

    private static void mixFour(long to, long p, long rows, long step, int n) {
        FloatVector s0 = FloatVector.zero(SPECIES);
        FloatVector s1 = s0;
        FloatVector s2 = s0;
        FloatVector s3 = s0;
        for (int i = 0; i < n; i++) {
            FloatVector weight = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, p + 4L * i));
            long row = rows + i * step;
            s0 = weight.fma(FloatVector.fromMemorySegment(SPECIES, ALL, row, ORDER), s0);
            s1 = weight.fma(FloatVector.fromMemorySegment(SPECIES, ALL, row + 4L * LANES, ORDER), s1);
            s2 = weight.fma(FloatVector.fromMemorySegment(SPECIES, ALL, row + 8L * LANES, ORDER), s2);
            s3 = weight.fma(FloatVector.fromMemorySegment(SPECIES, ALL, row + 12L * LANES, ORDER), s3);
        }
        s0.add(FloatVector.fromMemorySegment(SPECIES, ALL, to, ORDER)).intoMemorySegment(ALL, to, ORDER);
        s1.add(FloatVector.fromMemorySegment(SPECIES, ALL, to + 4L * LANES, ORDER)).intoMemorySegment(ALL, to + 4L * LANES, ORDER);
        s2.add(FloatVector.fromMemorySegment(SPECIES, ALL, to + 8L * LANES, ORDER)).intoMemorySegment(ALL, to + 8L * LANES, ORDER);
        s3.add(FloatVector.fromMemorySegment(SPECIES, ALL, to + 12L * LANES, ORDER)).intoMemorySegment(ALL, to + 12L * LANES, ORDER);
    }

    private static void mixOne(long to, long p, long rows, long step, int n) {
        FloatVector s = FloatVector.zero(SPECIES);
        for (int i = 0; i < n; i++) {
            s = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, p + 4L * i))
                    .fma(FloatVector.fromMemorySegment(SPECIES, ALL, rows + i * step, ORDER), s);
        }
        s.add(FloatVector.fromMemorySegment(SPECIES, ALL, to, ORDER)).intoMemorySegment(ALL, to, ORDER);
    }

    /** {@code rows[i] += p[i]·x}. */
    private static void spread(long rows, long p, long x, long step, int n, int d) {
        for (int i = 0; i < n; i++) {
            addScaled(rows + i * step, ALL.get(FLOAT, p + 4L * i), x, d);
        }
    }

    private static void addScaled(long to, float factor, long x, int d) {
        int j = 0;
        for (; j + LANES <= d; j += LANES) {
            FloatVector.fromMemorySegment(SPECIES, ALL, x + 4L * j, ORDER).mul(factor)
                    .add(FloatVector.fromMemorySegment(SPECIES, ALL, to + 4L * j, ORDER)).intoMemorySegment(ALL, to + 4L * j, ORDER);
        }
        for (; j < d; j++) {
            ALL.set(FLOAT, to + 4L * j, ALL.get(FLOAT, to + 4L * j) + factor * ALL.get(FLOAT, x + 4L * j));
        }
    }

    private static float max(long x, int n) {
        FloatVector m = FloatVector.broadcast(SPECIES, Float.NEGATIVE_INFINITY);
        int j = 0;
        for (; j + LANES <= n; j += LANES) {
            m = m.max(FloatVector.fromMemorySegment(SPECIES, ALL, x + 4L * j, ORDER));
        }
        float max = m.reduceLanes(VectorOperators.MAX);
        for (; j < n; j++) {
            max = Math.max(max, ALL.get(FLOAT, x + 4L * j));
        }
        return max;
    }

    /** {@code x = exp(x − shift)}; returns the sum. */
    private static double exp(long x, float shift, int n) {
        FloatVector s = FloatVector.zero(SPECIES);
        int j = 0;
        for (; j + LANES <= n; j += LANES) {
            FloatVector e = Exp.of(FloatVector.fromMemorySegment(SPECIES, ALL, x + 4L * j, ORDER).sub(shift));
            e.intoMemorySegment(ALL, x + 4L * j, ORDER);
            s = s.add(e);
        }
        double sum = Lanes.sum(s);
        for (; j < n; j++) {
            float e = (float) Math.exp(ALL.get(FLOAT, x + 4L * j) - shift);
            ALL.set(FLOAT, x + 4L * j, e);
            sum += e;
        }
        return sum;
    }

    /** {@code ds = scale · p · (ds − delta)}. */
    private static void toScoreGradient(long ds, long p, float delta, float scale, int n) {
        int j = 0;
        for (; j + LANES <= n; j += LANES) {
            FloatVector.fromMemorySegment(SPECIES, ALL, ds + 4L * j, ORDER).sub(delta)
                    .mul(FloatVector.fromMemorySegment(SPECIES, ALL, p + 4L * j, ORDER)).mul(scale).intoMemorySegment(ALL, ds + 4L * j, ORDER);
        }
        for (; j < n; j++) {
            ALL.set(FLOAT, ds + 4L * j, scale * ALL.get(FLOAT, p + 4L * j) * (ALL.get(FLOAT, ds + 4L * j) - delta));
        }
    }

    private static void scale(long x, float factor, int n) {
        int j = 0;
        for (; j + LANES <= n; j += LANES) {
            FloatVector.fromMemorySegment(SPECIES, ALL, x + 4L * j, ORDER).mul(factor).intoMemorySegment(ALL, x + 4L * j, ORDER);
        }
        for (; j < n; j++) {
            ALL.set(FLOAT, x + 4L * j, factor * ALL.get(FLOAT, x + 4L * j));
        }
    }

    void close() {
        scratch.close();
    }
}
