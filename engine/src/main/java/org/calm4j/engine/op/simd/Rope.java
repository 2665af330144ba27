package org.calm4j.engine.op.simd;

import static org.calm4j.engine.op.simd.vec.Vectors.FLOAT;
import static org.calm4j.engine.op.simd.vec.Vectors.FLOATS;
import static org.calm4j.engine.op.simd.vec.Vectors.INT;
import static org.calm4j.engine.op.simd.vec.Vectors.LANES;
import static org.calm4j.engine.op.simd.vec.Vectors.MEMORY;
import static org.calm4j.engine.op.simd.vec.Vectors.ORDER;

import jdk.incubator.vector.FloatVector;
import org.calm4j.engine.op.simd.vec.Native;
import org.calm4j.engine.op.simd.vec.WorkerPool;
import org.calm4j.engine.tensor.Tensor;

/** Rotary position embedding (Su et al. 2021), halves paired as in Hugging Face. */
final class Rope {
    private static final int TASK_ROWS = 32;
    private static final double PER_NANO = 2;

    private final WorkerPool pool;
    private final WorkerPool.Task task = this::rows;

    private long x;
    private long cosine;
    private long sine;
    private long position;
    private float direction;
    private int t;
    private int heads;
    private int d;
    private int half;

    Rope(WorkerPool pool) {
        this.pool = pool;
    }

    /**
     * Turns x (T,H,D) in place: {@code (a, b) → (a cos − b sin, b cos + a sin)} for element i and i + R/2 of a head; cosine is (P,R/2).
     *
     * @param direction 1 forward; −1 for the gradient, which rotates back
     */
    void turn(Tensor x, Tensor cosine, Tensor sine, Tensor position, int direction) {
        t = (int) x.dim(0);
        heads = (int) x.dim(1);
        d = (int) x.dim(2);
        half = (int) cosine.dim(1);
        if (2 * half > d) {
            throw new IllegalArgumentException("cannot rotate " + x + " by " + cosine);
        }
        this.x = Native.f32(x, x.size());
        this.cosine = Native.f32(cosine, cosine.dim(0) * half);
        this.sine = Native.f32(sine, cosine.size());
        this.position = Native.indices(position, t, cosine.dim(0));
        this.direction = direction;
        pool.run(task, (t + TASK_ROWS - 1) / TASK_ROWS, (long) (x.size() / PER_NANO));
    }

    private void rows(int index, int worker) {
        int end = Math.min(t, (index + 1) * TASK_ROWS);
        for (int i = index * TASK_ROWS; i < end; i++) {
            long angle = 4L * MEMORY.get(INT, position + 4L * i) * half;
            for (int h = 0; h < heads; h++) {
                head(x + 4L * ((long) i * heads + h) * d, cosine + angle, sine + angle, direction, half);
            }
        }
    }

    private static void head(long x, long cosine, long sine, float direction, int half) {
        long y = x + 4L * half;
        int i = 0;
        for (; i <= half - LANES; i += LANES) {
            FloatVector cos = FloatVector.fromMemorySegment(FLOATS, MEMORY, cosine + 4L * i, ORDER);
            FloatVector sin = FloatVector.fromMemorySegment(FLOATS, MEMORY, sine + 4L * i, ORDER)
                    .mul(direction);
            FloatVector a = FloatVector.fromMemorySegment(FLOATS, MEMORY, x + 4L * i, ORDER);
            FloatVector b = FloatVector.fromMemorySegment(FLOATS, MEMORY, y + 4L * i, ORDER);
            a.mul(cos).sub(b.mul(sin)).intoMemorySegment(MEMORY, x + 4L * i, ORDER);
            b.fma(cos, a.mul(sin)).intoMemorySegment(MEMORY, y + 4L * i, ORDER);
        }
        for (; i < half; i++) {
            float cos = MEMORY.get(FLOAT, cosine + 4L * i);
            float sin = MEMORY.get(FLOAT, sine + 4L * i) * direction;
            float a = MEMORY.get(FLOAT, x + 4L * i);
            float b = MEMORY.get(FLOAT, y + 4L * i);
            MEMORY.set(FLOAT, x + 4L * i, a * cos - b * sin);
            MEMORY.set(FLOAT, y + 4L * i, Math.fma(b, cos, a * sin));
        }
    }
}
