package org.calm4j.engine.model;

import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.Segments;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.HostBuffer;
import org.calm4j.engine.tensor.Tensor;

/** Attention's probabilities and their gradients (H,T,T) in host memory, from what attention keeps: queries, keys and log-sums. */
final class AttentionPattern {
    private final Backend backend;
    private final Segments segments;
    private final double scale;
    private final int window;

    AttentionPattern(Backend backend, Segments segments, double scale, int window) {
        this.backend = backend;
        this.segments = segments;
        this.scale = scale;
        this.window = window;
    }

    /** {@code p[h,i,j] = exp(scale · q[i,h]·k[j,h/(H/G)] − lse[i,h])} for the keys that the query sees, 0 for the others. */
    Tensor probabilities(Tensor q, Tensor k, Tensor lse) {
        int rows = (int) q.dim(0);
        int heads = (int) q.dim(1);
        double[] logSums = read(lse);
        Tensor pattern = products(q, k);
        for (int h = 0; h < heads; h++) {
            for (int i = 0; i < rows; i++) {
                for (int j = 0; j < rows; j++) {
                    long at = ((long) h * rows + i) * rows + j;
                    pattern.set(at, sees(i, j) ? Math.exp(scale * pattern.get(at) - logSums[i * heads + h]) : 0);
                }
            }
        }
        return pattern;
    }

    /** {@code dP[h,i,j] = dOut[i,h]·v[j,h/(H/G)]}, for all i and j, as in autograd of {@code out = p·v}. */
    Tensor gradients(Tensor dOut, Tensor v) {
        return products(dOut, v);
    }

    private boolean sees(int query, int key) {
        for (int s = segmentOf(query), depth = query - segments.queryStart(s) + segments.depth(s);
                s != Segments.NONE; ) {
            int place = key - segments.keyStart(s);
            if (place >= 0 && place < segments.keyLength(s)) {
                int position = segments.depth(s) + place;
                return position <= depth && (window == 0 || depth - position < window);
            }
            s = segments.parent(s);
        }
        return false;
    }

    private int segmentOf(int row) {
        for (int s = 0; s < segments.count(); s++) {
            if (row >= segments.queryStart(s) && row < segments.queryStart(s) + segments.queryLength(s)) {
                return s;
            }
        }
        throw new IllegalArgumentException("row " + row + " is in no segment");
    }

    /** {@code a[i,h]·b[j,h/(H/G)]} as (H,T,T). */
    private Tensor products(Tensor a, Tensor b) {
        int rows = (int) a.dim(0);
        int heads = (int) a.dim(1);
        int groups = (int) b.dim(1);
        int d = (int) a.dim(2);
        double[] left = read(a);
        double[] right = read(b);
        long size = (long) heads * rows * rows;
        DType type = backend.computeType();
        Tensor products = new Tensor("pattern", new HostBuffer(size * type.bytes()), 0, type, heads, rows, rows);
        for (int h = 0; h < heads; h++) {
            int group = h / (heads / groups);
            for (int i = 0; i < rows; i++) {
                for (int j = 0; j < rows; j++) {
                    double sum = 0;
                    for (int e = 0; e < d; e++) {
                        sum += left[(i * heads + h) * d + e] * right[(j * groups + group) * d + e];
                    }
                    products.set(((long) h * rows + i) * rows + j, sum);
                }
            }
        }
        return products;
    }

    private double[] read(Tensor x) {
        double[] values = new double[Math.toIntExact(x.size())];
        backend.read(values, x, values.length);
        return values;
    }
}
