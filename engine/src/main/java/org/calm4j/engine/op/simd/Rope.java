package org.calm4j.engine.op.simd;

import static org.calm4j.engine.op.simd.Lanes.ALL;
import static org.calm4j.engine.op.simd.Lanes.FLOAT;
import static org.calm4j.engine.op.simd.Lanes.LANES;
import static org.calm4j.engine.op.simd.Lanes.ORDER;
import static org.calm4j.engine.op.simd.Lanes.SPECIES;

import jdk.incubator.vector.FloatVector;
import org.calm4j.engine.tensor.Tensor;

/** Rotary position embedding in place, halves paired. */
final class Rope {
    private static final int ROWS_PER_TASK = 32;

    private final WorkerPool pool;

    Rope(WorkerPool pool) {
        this.pool = pool;
    }

    /** @param direction 1 forward, −1 for the gradient */
    void turn(Tensor x, Tensor cosine, Tensor sine, Tensor position, int direction) {
        int t = Math.toIntExact(x.dim(0));
        int heads = Math.toIntExact(x.dim(1));
        int half = Math.toIntExact(x.dim(2) / 2);
        long to = Lanes.address(x, x.size());
        long cos = Lanes.address(cosine);
        long sin = Lanes.address(sine);
        pool.run((t + ROWS_PER_TASK - 1) / ROWS_PER_TASK, task -> {
            for (long i = task * ROWS_PER_TASK; i < Math.min(t, (task + 1) * ROWS_PER_TASK); i++) {
                int row = position.getInt(i);
                if (row < 0 || row >= cosine.dim(0)) {
                    throw new IndexOutOfBoundsException("position " + row + " of " + cosine.dim(0));
                }
                for (long h = 0; h < heads; h++) {
                    turnHead(to + 8 * half * (i * heads + h), cos + 4L * row * half, sin + 4L * row * half, half, direction);
                }
            }
        });
    }

    private static void turnHead(long x, long cosine, long sine, int half, float direction) {
        long y = x + 4L * half;
        int j = 0;
        for (; j + LANES <= half; j += LANES) {
            FloatVector cos = FloatVector.fromMemorySegment(SPECIES, ALL, cosine + 4L * j, ORDER);
            FloatVector sin = FloatVector.fromMemorySegment(SPECIES, ALL, sine + 4L * j, ORDER).mul(direction);
            FloatVector a = FloatVector.fromMemorySegment(SPECIES, ALL, x + 4L * j, ORDER);
            FloatVector b = FloatVector.fromMemorySegment(SPECIES, ALL, y + 4L * j, ORDER);
            a.mul(cos).sub(b.mul(sin)).intoMemorySegment(ALL, x + 4L * j, ORDER);
            b.mul(cos).add(a.mul(sin)).intoMemorySegment(ALL, y + 4L * j, ORDER);
        }
        for (; j < half; j++) {
            float cos = ALL.get(FLOAT, cosine + 4L * j);
            float sin = direction * ALL.get(FLOAT, sine + 4L * j);
            float a = ALL.get(FLOAT, x + 4L * j);
            float b = ALL.get(FLOAT, y + 4L * j);
            ALL.set(FLOAT, x + 4L * j, a * cos - b * sin);
            ALL.set(FLOAT, y + 4L * j, b * cos + a * sin);
        }
    }
}
