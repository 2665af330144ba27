package org.calm4j.engine.op.simd;

import static org.calm4j.engine.op.simd.Lanes.ALL;
import static org.calm4j.engine.op.simd.Lanes.FLOAT;
import static org.calm4j.engine.op.simd.Lanes.LANES;
import static org.calm4j.engine.op.simd.Lanes.ORDER;
import static org.calm4j.engine.op.simd.Lanes.SPECIES;

import jdk.incubator.vector.FloatVector;
import org.calm4j.engine.op.AdamW;
import org.calm4j.engine.random.CounterRandom;
import org.calm4j.engine.tensor.Tensor;

/** Operations that go over elements one by one: AdamW, the sum of squares, dropout. */
final class Elements {
    private static final int PER_TASK = 16384;

    private final WorkerPool pool;
    private double[] sums = new double[0];

    Elements(WorkerPool pool) {
        this.pool = pool;
    }

    private static int tasks(long size) {
        return Math.toIntExact((size + PER_TASK - 1) / PER_TASK);
    }

    private static int count(long size, int task) {
        return (int) Math.min(PER_TASK, size - (long) task * PER_TASK);
    }

    void adamW(Tensor w, Tensor m, Tensor v, Tensor grad, AdamW settings, double learningRate, double weightDecay, double gradScale, long step) {
        long size = w.size();
        long weights = Lanes.address(w, size);
        long first = Lanes.address(m, size);
        long second = Lanes.address(v, size);
        long gradient = Lanes.address(grad, size);
        float stepSize = (float) (learningRate / (1 - Math.pow(settings.beta1(), step)));
        float rootCorrection = (float) (1 / Math.sqrt(1 - Math.pow(settings.beta2(), step)));
        float decay = (float) (1 - learningRate * weightDecay);
        pool.run(tasks(size), task -> {
            long at = 4L * task * PER_TASK;
            adamW(weights + at, first + at, second + at, gradient + at, count(size, task), (float) settings.beta1(), (float) (1 - settings.beta1()),
                    (float) settings.beta2(), (float) (1 - settings.beta2()), (float) settings.epsilon(), stepSize, rootCorrection, decay, (float) gradScale);
        });
    }

    private static void adamW(long w, long m, long v, long grad, int n, float beta1, float rest1, float beta2, float rest2, float epsilon, float stepSize,
            float rootCorrection, float decay, float gradScale) {
        int j = 0;
        for (; j + LANES <= n; j += LANES) {
            long at = 4L * j;
            FloatVector g = FloatVector.fromMemorySegment(SPECIES, ALL, grad + at, ORDER).mul(gradScale);
            FloatVector first = FloatVector.fromMemorySegment(SPECIES, ALL, m + at, ORDER).mul(beta1).add(g.mul(rest1));
            FloatVector second = FloatVector.fromMemorySegment(SPECIES, ALL, v + at, ORDER).mul(beta2).add(g.mul(g).mul(rest2));
            first.intoMemorySegment(ALL, m + at, ORDER);
            second.intoMemorySegment(ALL, v + at, ORDER);
            FloatVector update = first.mul(stepSize).div(second.sqrt().mul(rootCorrection).add(epsilon));
            FloatVector.fromMemorySegment(SPECIES, ALL, w + at, ORDER).mul(decay).sub(update).intoMemorySegment(ALL, w + at, ORDER);
        }
        for (; j < n; j++) {
            long at = 4L * j;
            float g = ALL.get(FLOAT, grad + at) * gradScale;
            float first = ALL.get(FLOAT, m + at) * beta1 + g * rest1;
            float second = ALL.get(FLOAT, v + at) * beta2 + g * g * rest2;
            ALL.set(FLOAT, m + at, first);
            ALL.set(FLOAT, v + at, second);
            float update = first * stepSize / ((float) Math.sqrt(second) * rootCorrection + epsilon);
            ALL.set(FLOAT, w + at, ALL.get(FLOAT, w + at) * decay - update);
        }
    }

    /** Each task sums in double precision, then the tasks' sums are added in order. */
    double sumOfSquares(Tensor x) {
        long size = x.size();
        long from = Lanes.address(x, size);
        int tasks = tasks(size);
        if (sums.length < tasks) {
            sums = new double[tasks];
        }
        double[] parts = sums;
        pool.run(tasks, task -> parts[task] = sumOfSquares(from + 4L * task * PER_TASK, count(size, task)));
        double sum = 0;
        for (int i = 0; i < tasks; i++) {
            sum += parts[i];
        }
        return sum;
    }

    private static double sumOfSquares(long x, int n) {
        double s0 = 0;
        double s1 = 0;
        double s2 = 0;
        double s3 = 0;
        int j = 0;
        for (; j + 4 <= n; j += 4) {
            double a = ALL.get(FLOAT, x + 4L * j);
            double b = ALL.get(FLOAT, x + 4L * j + 4);
            double c = ALL.get(FLOAT, x + 4L * j + 8);
            double d = ALL.get(FLOAT, x + 4L * j + 12);
            s0 += a * a;
            s1 += b * b;
            s2 += c * c;
            s3 += d * d;
        }
        for (; j < n; j++) {
            double a = ALL.get(FLOAT, x + 4L * j);
            s0 += a * a;
        }
        return s0 + s1 + (s2 + s3);
    }

    void dropout(Tensor out, Tensor x, double p, long seed, boolean add) {
        long size = x.size();
        long to = Lanes.address(out, size);
        long from = Lanes.address(x, size);
        float kept = (float) (1 / (1 - p));
        pool.run(tasks(size), task -> {
            for (long i = (long) task * PER_TASK; i < (long) task * PER_TASK + count(size, task); i++) {
                float value = CounterRandom.uniform(seed, i) >= p ? ALL.get(FLOAT, from + 4 * i) * kept : 0;
                ALL.set(FLOAT, to + 4 * i, add ? ALL.get(FLOAT, to + 4 * i) + value : value);
            }
        });
    }
}
