package org.calm4j.engine.op.simd;

import static org.calm4j.engine.op.simd.vec.Vectors.BYTES;
import static org.calm4j.engine.op.simd.vec.Vectors.DOUBLE;
import static org.calm4j.engine.op.simd.vec.Vectors.FLOAT;
import static org.calm4j.engine.op.simd.vec.Vectors.FLOATS;
import static org.calm4j.engine.op.simd.vec.Vectors.LANES;
import static org.calm4j.engine.op.simd.vec.Vectors.MEMORY;
import static org.calm4j.engine.op.simd.vec.Vectors.ORDER;

import jdk.incubator.vector.DoubleVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;
import org.calm4j.engine.op.simd.vec.Native;
import org.calm4j.engine.op.simd.vec.Scratch;
import org.calm4j.engine.op.simd.vec.WorkerPool;
import org.calm4j.engine.tensor.Tensor;

/** Sums of squares in double precision, chunk by chunk, for the global norm of a gradient. */
final class GradNorm implements AutoCloseable {
    private static final VectorSpecies<Double> DOUBLES = VectorSpecies.of(double.class, FLOATS.vectorShape());
    /** As many floats as a vector of doubles holds: converting the second half of a full vector has no instruction. */
    private static final VectorSpecies<Float> HALF =
            VectorSpecies.of(float.class, VectorShape.forBitSize(FLOATS.vectorBitSize() / 2));

    private static final int TASK = 16_384;
    private static final double PER_NANO = 3;

    private final WorkerPool pool;
    private final WorkerPool.Task task = this::sum;
    /** For each task the lanes of its sum. */
    private final Scratch sums = new Scratch();

    private long lanes;

    private long x;
    private long size;

    GradNorm(WorkerPool pool) {
        this.pool = pool;
    }

    /** {@code Σ x²}. */
    double sumOfSquares(Tensor x) {
        size = x.size();
        this.x = Native.f32(x, size);
        int tasks = Math.toIntExact((size + TASK - 1) / TASK);
        lanes = sums.floats(2L * tasks * DOUBLES.length());
        pool.run(task, tasks, (long) (size / PER_NANO));
        double sum = 0;
        for (int i = 0; i < tasks * DOUBLES.length(); i++) {
            sum += MEMORY.get(DOUBLE, lanes + 8L * i);
        }
        return sum;
    }

    private void sum(int index, int worker) {
        long first = (long) index * TASK;
        sum(lanes + (long) index * DOUBLES.vectorByteSize(), x + 4 * first, (int) Math.min(TASK, size - first));
    }

    private static void sum(long to, long x, int count) {
        DoubleVector low = DoubleVector.zero(DOUBLES);
        DoubleVector high = DoubleVector.zero(DOUBLES);
        int i = 0;
        for (; i <= count - LANES; i += LANES) {
            DoubleVector first = (DoubleVector) FloatVector.fromMemorySegment(HALF, MEMORY, x + 4L * i, ORDER)
                    .convertShape(VectorOperators.F2D, DOUBLES, 0);
            DoubleVector second =
                    (DoubleVector) FloatVector.fromMemorySegment(HALF, MEMORY, x + 4L * i + BYTES / 2, ORDER)
                            .convertShape(VectorOperators.F2D, DOUBLES, 0);
            low = first.fma(first, low);
            high = second.fma(second, high);
        }
        low.add(high).intoMemorySegment(MEMORY, to, ORDER);
        for (; i < count; i++) {
            double value = MEMORY.get(FLOAT, x + 4L * i);
            MEMORY.set(DOUBLE, to, MEMORY.get(DOUBLE, to) + value * value);
        }
    }

    @Override
    public void close() {
        sums.close();
    }
}
