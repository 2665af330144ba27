package org.calm4j.engine.op.simd;

import static org.calm4j.engine.op.simd.Lanes.ALL;
import static org.calm4j.engine.op.simd.Lanes.FLOAT;
import static org.calm4j.engine.op.simd.Lanes.LANES;
import static org.calm4j.engine.op.simd.Lanes.ORDER;
import static org.calm4j.engine.op.simd.Lanes.SPECIES;

import jdk.incubator.vector.FloatVector;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;

/** The product with a weight (N,K), for x (T,K): three strided views of one matrix product. */
final class Linear {
    /** Up to so many rows the weight is read where it lies: packing it would cost more than the product. */
    private static final int FEW_ROWS = 4;
    private static final int OUTPUTS_PER_TASK = 64;

    private final Gemm gemm;
    private final WorkerPool pool;

    Linear(Gemm gemm, WorkerPool pool) {
        this.gemm = gemm;
        this.pool = pool;
    }

    void forward(Tensor out, Tensor x, Tensor w, double alpha, boolean add) {
        int t = Math.toIntExact(x.dim(0));
        int n = Math.toIntExact(w.dim(0));
        int k = Math.toIntExact(w.dim(1));
        long to = Lanes.address(out, (long) t * n);
        long from = Lanes.address(x, (long) t * k);
        if (t <= FEW_ROWS && w.type() == DType.F32) {
            long weights = w.segment().address();
            int tasks = (n + OUTPUTS_PER_TASK - 1) / OUTPUTS_PER_TASK;
            pool.run(tasks, task -> fewRows(to, from, weights, t, n, k, task * OUTPUTS_PER_TASK, (float) alpha, add));
            return;
        }
        gemm.multiply(Gemm.Matrix.rows(to, n), Gemm.Matrix.rows(from, k), weight(w).transposed(), t, n, k, (float) alpha, add);
    }

    void backwardInput(Tensor dX, Tensor dOut, Tensor w, double alpha, boolean add) {
        int t = Math.toIntExact(dOut.dim(0));
        int n = Math.toIntExact(w.dim(0));
        int k = Math.toIntExact(w.dim(1));
        gemm.multiply(Gemm.Matrix.rows(Lanes.address(dX, (long) t * k), k), Gemm.Matrix.rows(Lanes.address(dOut, (long) t * n), n), weight(w),
                t, k, n, (float) alpha, add);
    }

    void backwardWeight(Tensor dW, Tensor dOut, Tensor x, double alpha) {
        int t = Math.toIntExact(x.dim(0));
        int n = Math.toIntExact(dW.dim(0));
        int k = Math.toIntExact(dW.dim(1));
        gemm.multiply(Gemm.Matrix.rows(Lanes.address(dW, (long) n * k), k), Gemm.Matrix.rows(Lanes.address(dOut, (long) t * n), n).transposed(),
                Gemm.Matrix.rows(Lanes.address(x, (long) t * k), k), n, k, t, (float) alpha, true);
    }

    static Gemm.Matrix weight(Tensor w) {
        return new Gemm.Matrix(w.segment().address(), w.type(), w.dim(1), 1);
    }

    private static void fewRows(long out, long x, long w, int t, int n, int k, int first, float alpha, boolean add) {
        for (int j = first; j < Math.min(n, first + OUTPUTS_PER_TASK); j++) {
            for (int i = 0; i < t; i++) {
                float value = alpha * dot(x + 4L * i * k, w + 4L * j * k, k);
                long to = out + 4 * ((long) i * n + j);
                ALL.set(FLOAT, to, add ? ALL.get(FLOAT, to) + value : value);
            }
        }
    }

    private static float dot(long a, long b, int k) {
        FloatVector s0 = FloatVector.zero(SPECIES);
        FloatVector s1 = s0;
        FloatVector s2 = s0;
        FloatVector s3 = s0;
        int i = 0;
        for (; i + 4 * LANES <= k; i += 4 * LANES) {
            long p = 4L * i;
            s0 = FloatVector.fromMemorySegment(SPECIES, ALL, a + p, ORDER).fma(FloatVector.fromMemorySegment(SPECIES, ALL, b + p, ORDER), s0);
            p += 4 * LANES;
            s1 = FloatVector.fromMemorySegment(SPECIES, ALL, a + p, ORDER).fma(FloatVector.fromMemorySegment(SPECIES, ALL, b + p, ORDER), s1);
            p += 4 * LANES;
            s2 = FloatVector.fromMemorySegment(SPECIES, ALL, a + p, ORDER).fma(FloatVector.fromMemorySegment(SPECIES, ALL, b + p, ORDER), s2);
            p += 4 * LANES;
            s3 = FloatVector.fromMemorySegment(SPECIES, ALL, a + p, ORDER).fma(FloatVector.fromMemorySegment(SPECIES, ALL, b + p, ORDER), s3);
        }
        float sum = Lanes.sum(s0.add(s1).add(s2.add(s3)));
        for (; i < k; i++) {
            sum += ALL.get(FLOAT, a + 4L * i) * ALL.get(FLOAT, b + 4L * i);
        }
        return sum;
    }
}
