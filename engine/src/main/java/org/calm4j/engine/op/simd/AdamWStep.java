package org.calm4j.engine.op.simd;

import static org.calm4j.engine.op.simd.vec.Vectors.FLOAT;
import static org.calm4j.engine.op.simd.vec.Vectors.FLOATS;
import static org.calm4j.engine.op.simd.vec.Vectors.LANES;
import static org.calm4j.engine.op.simd.vec.Vectors.MEMORY;
import static org.calm4j.engine.op.simd.vec.Vectors.ORDER;

import jdk.incubator.vector.FloatVector;
import org.calm4j.engine.op.AdamW;
import org.calm4j.engine.op.simd.vec.Native;
import org.calm4j.engine.op.simd.vec.WorkerPool;
import org.calm4j.engine.tensor.Tensor;

/**
 * One step of AdamW (Loshchilov &amp; Hutter 2019).
 *
 * <p>Each of w, m and v is its old value plus a small change, {@code m += (1−β₁)(g−m)}, so that only the last addition rounds at full size.
 */
final class AdamWStep {
    private static final int TASK = 8192;
    private static final double PER_NANO = 1;

    private final WorkerPool pool;
    private final WorkerPool.Task task = this::apply;

    private long w;
    private long m;
    private long v;
    private long grad;
    private long size;
    private float gradScale;
    private float rate1;
    private float rate2;
    private float rootCorrection2;
    private float epsilon;
    private float stepSize;
    private float decay;

    AdamWStep(WorkerPool pool) {
        this.pool = pool;
    }

    /** Updates w, m and v in place; {@code step} counts from 1. */
    void apply(
            Tensor w,
            Tensor m,
            Tensor v,
            Tensor grad,
            AdamW settings,
            double learningRate,
            double weightDecay,
            double gradScale,
            long step) {
        size = w.size();
        this.w = Native.f32(w, size);
        this.m = Native.f32(m, size);
        this.v = Native.f32(v, size);
        this.grad = Native.f32(grad, size);
        this.gradScale = (float) gradScale;
        rate1 = (float) (1 - settings.beta1());
        rate2 = (float) (1 - settings.beta2());
        rootCorrection2 = (float) (1 / Math.sqrt(1 - Math.pow(settings.beta2(), step)));
        epsilon = (float) settings.epsilon();
        stepSize = (float) (learningRate / (1 - Math.pow(settings.beta1(), step)));
        decay = (float) (learningRate * weightDecay);
        pool.run(task, Math.toIntExact((size + TASK - 1) / TASK), (long) (size / PER_NANO));
    }

    private void apply(int index, int worker) {
        long first = (long) index * TASK;
        chunk(4 * first, (int) Math.min(TASK, size - first));
    }

    private void chunk(long at, int count) {
        long wAt = w + at;
        long mAt = m + at;
        long vAt = v + at;
        long gAt = grad + at;
        FloatVector scale = FloatVector.broadcast(FLOATS, gradScale);
        FloatVector oneMinusBeta1 = FloatVector.broadcast(FLOATS, rate1);
        FloatVector oneMinusBeta2 = FloatVector.broadcast(FLOATS, rate2);
        FloatVector root = FloatVector.broadcast(FLOATS, rootCorrection2);
        FloatVector small = FloatVector.broadcast(FLOATS, epsilon);
        FloatVector rate = FloatVector.broadcast(FLOATS, stepSize);
        FloatVector shrink = FloatVector.broadcast(FLOATS, decay);
        int i = 0;
        for (; i <= count - LANES; i += LANES) {
            FloatVector g = FloatVector.fromMemorySegment(FLOATS, MEMORY, gAt + 4L * i, ORDER)
                    .mul(scale);
            FloatVector mean = FloatVector.fromMemorySegment(FLOATS, MEMORY, mAt + 4L * i, ORDER);
            FloatVector square = FloatVector.fromMemorySegment(FLOATS, MEMORY, vAt + 4L * i, ORDER);
            FloatVector weight = FloatVector.fromMemorySegment(FLOATS, MEMORY, wAt + 4L * i, ORDER);
            mean = g.sub(mean).fma(oneMinusBeta1, mean);
            square = g.mul(g).sub(square).fma(oneMinusBeta2, square);
            FloatVector change = mean.mul(rate).div(square.sqrt().fma(root, small));
            change = weight.fma(shrink, change);
            mean.intoMemorySegment(MEMORY, mAt + 4L * i, ORDER);
            square.intoMemorySegment(MEMORY, vAt + 4L * i, ORDER);
            weight.sub(change).intoMemorySegment(MEMORY, wAt + 4L * i, ORDER);
        }
        for (; i < count; i++) {
            float g = MEMORY.get(FLOAT, gAt + 4L * i) * gradScale;
            float mean = MEMORY.get(FLOAT, mAt + 4L * i);
            float square = MEMORY.get(FLOAT, vAt + 4L * i);
            float weight = MEMORY.get(FLOAT, wAt + 4L * i);
            mean = Math.fma(g - mean, rate1, mean);
            square = Math.fma(g * g - square, rate2, square);
            float change = mean * stepSize / Math.fma((float) Math.sqrt(square), rootCorrection2, epsilon);
            MEMORY.set(FLOAT, mAt + 4L * i, mean);
            MEMORY.set(FLOAT, vAt + 4L * i, square);
            MEMORY.set(FLOAT, wAt + 4L * i, weight - Math.fma(weight, decay, change));
        }
    }
}
