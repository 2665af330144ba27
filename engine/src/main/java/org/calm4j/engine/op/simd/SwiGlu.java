package org.calm4j.engine.op.simd;

import static org.calm4j.engine.op.simd.Lanes.ALL;
import static org.calm4j.engine.op.simd.Lanes.FLOAT;
import static org.calm4j.engine.op.simd.Lanes.LANES;
import static org.calm4j.engine.op.simd.Lanes.ORDER;
import static org.calm4j.engine.op.simd.Lanes.SPECIES;

import jdk.incubator.vector.FloatVector;
import org.calm4j.engine.tensor.Tensor;

/** {@code silu(gate) · up}. */
final class SwiGlu {
    private static final int ELEMENTS_PER_TASK = 8192;

    private final WorkerPool pool;

    SwiGlu(WorkerPool pool) {
        this.pool = pool;
    }

    void forward(Tensor out, Tensor gate, Tensor up) {
        long size = out.size();
        long to = Lanes.address(out, size);
        long g = Lanes.address(gate, size);
        long u = Lanes.address(up, size);
        pool.run(tasks(size), task -> {
            long first = 4L * task * ELEMENTS_PER_TASK;
            forward(to + first, g + first, u + first, (int) Math.min(ELEMENTS_PER_TASK, size - (long) task * ELEMENTS_PER_TASK));
        });
    }

    void backward(Tensor dGate, Tensor dUp, Tensor dOut, Tensor gate, Tensor up) {
        long size = dOut.size();
        long dg = Lanes.address(dGate, size);
        long du = Lanes.address(dUp, size);
        long d = Lanes.address(dOut, size);
        long g = Lanes.address(gate, size);
        long u = Lanes.address(up, size);
        pool.run(tasks(size), task -> {
            long first = 4L * task * ELEMENTS_PER_TASK;
            backward(dg + first, du + first, d + first, g + first, u + first,
                    (int) Math.min(ELEMENTS_PER_TASK, size - (long) task * ELEMENTS_PER_TASK));
        });
    }

    private static int tasks(long size) {
        return Math.toIntExact((size + ELEMENTS_PER_TASK - 1) / ELEMENTS_PER_TASK);
    }

    private static void forward(long out, long gate, long up, int n) {
        int j = 0;
        for (; j + LANES <= n; j += LANES) {
            FloatVector g = FloatVector.fromMemorySegment(SPECIES, ALL, gate + 4L * j, ORDER);
            g.div(Exp.of(g.neg()).add(1f)).mul(FloatVector.fromMemorySegment(SPECIES, ALL, up + 4L * j, ORDER))
                    .intoMemorySegment(ALL, out + 4L * j, ORDER);
        }
        for (; j < n; j++) {
            float g = ALL.get(FLOAT, gate + 4L * j);
            ALL.set(FLOAT, out + 4L * j, (float) (g / (1 + Math.exp(-g)) * ALL.get(FLOAT, up + 4L * j)));
        }
    }

    private static void backward(long dGate, long dUp, long dOut, long gate, long up, int n) {
        int j = 0;
        for (; j + LANES <= n; j += LANES) {
            FloatVector g = FloatVector.fromMemorySegment(SPECIES, ALL, gate + 4L * j, ORDER);
            FloatVector u = FloatVector.fromMemorySegment(SPECIES, ALL, up + 4L * j, ORDER);
            FloatVector d = FloatVector.fromMemorySegment(SPECIES, ALL, dOut + 4L * j, ORDER);
            FloatVector e = Exp.of(g.neg());
            FloatVector denominator = e.add(1f);
            // 1 − σ(g) = e^−g / (1 + e^−g), without the cancellation of 1 − σ.
            FloatVector slope = g.mul(e).div(denominator).add(1f);
            FloatVector ds = d.div(denominator);
            ds.mul(u).mul(slope).intoMemorySegment(ALL, dGate + 4L * j, ORDER);
            ds.mul(g).intoMemorySegment(ALL, dUp + 4L * j, ORDER);
        }
        for (; j < n; j++) {
            double g = ALL.get(FLOAT, gate + 4L * j);
            double u = ALL.get(FLOAT, up + 4L * j);
            double d = ALL.get(FLOAT, dOut + 4L * j);
            double s = 1 / (1 + Math.exp(-g));
            ALL.set(FLOAT, dGate + 4L * j, (float) (d * u * s * (1 + g * (1 - s))));
            ALL.set(FLOAT, dUp + 4L * j, (float) (d * g * s));
        }
    }
}
