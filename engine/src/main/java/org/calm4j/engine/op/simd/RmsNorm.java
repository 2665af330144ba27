package org.calm4j.engine.op.simd;

import static org.calm4j.engine.op.simd.Lanes.ALL;
import static org.calm4j.engine.op.simd.Lanes.FLOAT;
import static org.calm4j.engine.op.simd.Lanes.LANES;
import static org.calm4j.engine.op.simd.Lanes.ORDER;
import static org.calm4j.engine.op.simd.Lanes.SPECIES;

import jdk.incubator.vector.FloatVector;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.HostBuffer;
import org.calm4j.engine.tensor.Tensor;

/** Root-mean-square norm of the rows of x (T,C) with a weight (C). */
final class RmsNorm {
    private static final int ROWS_PER_TASK = 32;
    private static final int COLUMNS_PER_TASK = 4 * LANES;

    private final WorkerPool pool;
    private HostBuffer widened = new HostBuffer(0);

    RmsNorm(WorkerPool pool) {
        this.pool = pool;
    }

    void forward(Tensor out, Tensor rstd, Tensor x, Tensor w, double epsilon) {
        int t = Math.toIntExact(x.dim(0));
        int c = Math.toIntExact(x.dim(1));
        long to = Lanes.address(out, (long) t * c);
        long r = Lanes.address(rstd, t);
        long from = Lanes.address(x, (long) t * c);
        long weight = weight(w);
        pool.run((t + ROWS_PER_TASK - 1) / ROWS_PER_TASK, task -> {
            for (long i = task * ROWS_PER_TASK; i < Math.min(t, (task + 1) * ROWS_PER_TASK); i++) {
                float inverse = (float) (1 / Math.sqrt(dot(from + 4 * i * c, from + 4 * i * c, c) / (double) c + epsilon));
                ALL.set(FLOAT, r + 4 * i, inverse);
                scale(to + 4 * i * c, from + 4 * i * c, weight, inverse, c);
            }
        });
    }

    void backward(Tensor dX, Tensor dW, Tensor dOut, Tensor x, Tensor w, Tensor rstd) {
        int t = Math.toIntExact(x.dim(0));
        int c = Math.toIntExact(x.dim(1));
        long dx = Lanes.address(dX, (long) t * c);
        long d = Lanes.address(dOut, (long) t * c);
        long from = Lanes.address(x, (long) t * c);
        long r = Lanes.address(rstd, t);
        long weight = weight(w);
        pool.run((t + ROWS_PER_TASK - 1) / ROWS_PER_TASK, task -> {
            for (long i = task * ROWS_PER_TASK; i < Math.min(t, (task + 1) * ROWS_PER_TASK); i++) {
                float inverse = ALL.get(FLOAT, r + 4 * i);
                float mean = dot3(d + 4 * i * c, weight, from + 4 * i * c, c) / c;
                addInputGradient(dx + 4 * i * c, d + 4 * i * c, weight, from + 4 * i * c, inverse, inverse * inverse * inverse * mean, c);
            }
        });
        if (dW != null) {
            long dw = Lanes.address(dW, c);
            pool.run((c + COLUMNS_PER_TASK - 1) / COLUMNS_PER_TASK, task -> {
                int first = task * COLUMNS_PER_TASK;
                int last = Math.min(c, first + COLUMNS_PER_TASK);
                int j = first;
                for (; j + LANES <= last; j += LANES) {
                    addWeightGradient(dw + 4L * j, d + 4L * j, from + 4L * j, r, t, c);
                }
                for (; j < last; j++) {
                    addWeightGradientOf(dw + 4L * j, d + 4L * j, from + 4L * j, r, t, c);
                }
            });
        }
    }

    /** The weight as F32, widened where it is stored narrower. */
    private long weight(Tensor w) {
        if (w.type() == DType.F32) {
            return w.segment().address();
        }
        if (widened.bytes() < 4 * w.size()) {
            widened.close();
            widened = new HostBuffer(4 * w.size());
        }
        for (long i = 0; i < w.size(); i++) {
            widened.segment().set(FLOAT, 4 * i, (float) w.get(i));
        }
        return widened.segment().address();
    }

    private static float dot(long a, long b, int c) {
        FloatVector s0 = FloatVector.zero(SPECIES);
        FloatVector s1 = s0;
        int j = 0;
        for (; j + 2 * LANES <= c; j += 2 * LANES) {
            s0 = FloatVector.fromMemorySegment(SPECIES, ALL, a + 4L * j, ORDER)
                    .fma(FloatVector.fromMemorySegment(SPECIES, ALL, b + 4L * j, ORDER), s0);
            s1 = FloatVector.fromMemorySegment(SPECIES, ALL, a + 4L * (j + LANES), ORDER)
                    .fma(FloatVector.fromMemorySegment(SPECIES, ALL, b + 4L * (j + LANES), ORDER), s1);
        }
        float sum = Lanes.sum(s0.add(s1));
        for (; j < c; j++) {
            sum += ALL.get(FLOAT, a + 4L * j) * ALL.get(FLOAT, b + 4L * j);
        }
        return sum;
    }

    private static float dot3(long a, long b, long x, int c) {
        FloatVector s = FloatVector.zero(SPECIES);
        int j = 0;
        for (; j + LANES <= c; j += LANES) {
            s = FloatVector.fromMemorySegment(SPECIES, ALL, a + 4L * j, ORDER)
                    .mul(FloatVector.fromMemorySegment(SPECIES, ALL, b + 4L * j, ORDER))
                    .fma(FloatVector.fromMemorySegment(SPECIES, ALL, x + 4L * j, ORDER), s);
        }
        float sum = Lanes.sum(s);
        for (; j < c; j++) {
            sum += ALL.get(FLOAT, a + 4L * j) * ALL.get(FLOAT, b + 4L * j) * ALL.get(FLOAT, x + 4L * j);
        }
        return sum;
    }

    private static void scale(long out, long x, long w, float inverse, int c) {
        int j = 0;
        for (; j + LANES <= c; j += LANES) {
            FloatVector.fromMemorySegment(SPECIES, ALL, x + 4L * j, ORDER).mul(inverse)
                    .mul(FloatVector.fromMemorySegment(SPECIES, ALL, w + 4L * j, ORDER)).intoMemorySegment(ALL, out + 4L * j, ORDER);
        }
        for (; j < c; j++) {
            ALL.set(FLOAT, out + 4L * j, ALL.get(FLOAT, x + 4L * j) * inverse * ALL.get(FLOAT, w + 4L * j));
        }
    }

    private static void addInputGradient(long dX, long d, long w, long x, float inverse, float factor, int c) {
        int j = 0;
        for (; j + LANES <= c; j += LANES) {
            FloatVector g = FloatVector.fromMemorySegment(SPECIES, ALL, d + 4L * j, ORDER)
                    .mul(FloatVector.fromMemorySegment(SPECIES, ALL, w + 4L * j, ORDER)).mul(inverse);
            FloatVector back = FloatVector.fromMemorySegment(SPECIES, ALL, x + 4L * j, ORDER).mul(factor);
            FloatVector.fromMemorySegment(SPECIES, ALL, dX + 4L * j, ORDER).add(g.sub(back)).intoMemorySegment(ALL, dX + 4L * j, ORDER);
        }
        for (; j < c; j++) {
            float g = ALL.get(FLOAT, d + 4L * j) * ALL.get(FLOAT, w + 4L * j) * inverse;
            ALL.set(FLOAT, dX + 4L * j, ALL.get(FLOAT, dX + 4L * j) + (g - ALL.get(FLOAT, x + 4L * j) * factor));
        }
    }

    /** Rows are summed in blocks, so that rounding grows with the blocks' number and not with the rows'. */
    private static void addWeightGradient(long dW, long d, long x, long rstd, int t, int c) {
        FloatVector sum = FloatVector.zero(SPECIES);
        for (int first = 0; first < t; first += ROWS_PER_TASK) {
            FloatVector block = FloatVector.zero(SPECIES);
            for (long i = first; i < Math.min(t, first + ROWS_PER_TASK); i++) {
                block = FloatVector.fromMemorySegment(SPECIES, ALL, d + 4 * i * c, ORDER)
                        .mul(FloatVector.fromMemorySegment(SPECIES, ALL, x + 4 * i * c, ORDER))
                        .fma(FloatVector.broadcast(SPECIES, ALL.get(FLOAT, rstd + 4 * i)), block);
            }
            sum = sum.add(block);
        }
        FloatVector.fromMemorySegment(SPECIES, ALL, dW, ORDER).add(sum).intoMemorySegment(ALL, dW, ORDER);
    }

    private static void addWeightGradientOf(long dW, long d, long x, long rstd, int t, int c) {
        double sum = 0;
        for (long i = 0; i < t; i++) {
            sum += (double) ALL.get(FLOAT, d + 4 * i * c) * ALL.get(FLOAT, x + 4 * i * c) * ALL.get(FLOAT, rstd + 4 * i);
        }
        ALL.set(FLOAT, dW, (float) (ALL.get(FLOAT, dW) + sum));
    }

    void close() {
        widened.close();
    }
}
