package org.calm4j.engine.train;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.HostBuffer;
import org.calm4j.engine.tensor.Slab;
import org.calm4j.engine.tensor.Tensor;

/** One number for each trained weight, tensor by tensor, in host memory: a gradient, or the weights themselves. */
public final class TrainedVector implements AutoCloseable {
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

    private final Slab slab;
    private final List<Tensor> tensors;

    /** Zeros of the shapes of the tensors in there. */
    TrainedVector(Slab like) {
        Slab.Plan plan = new Slab.Plan();
        like.tensors().forEach(tensor -> plan.add(tensor.name(), tensor.type(), tensor.shape()));
        slab = plan.allocate(HostBuffer::new);
        tensors = List.copyOf(slab.tensors());
    }

    void set(Backend backend, Slab from) {
        for (Tensor tensor : tensors) {
            backend.copy(tensor, from.get(tensor.name()));
        }
    }

    /** The tensors, in the order of the figures that belong to them. */
    public List<Tensor> tensors() {
        return tensors;
    }

    /** {@code Σ x·y} of each tensor, in double precision. */
    public double[] dots(TrainedVector other) {
        double[] dots = new double[tensors.size()];
        for (int i = 0; i < dots.length; i++) {
            dots[i] = dot(tensors.get(i), other.tensors.get(i));
        }
        return dots;
    }

    /** {@code Σ x²} of each tensor. */
    public double[] squares() {
        return dots(this);
    }

    /** {@code Σ (x−y)²} of each tensor, in double precision. */
    public double[] squaredDistances(TrainedVector other) {
        double[] sums = new double[tensors.size()];
        for (int i = 0; i < sums.length; i++) {
            Tensor x = tensors.get(i);
            Tensor y = other.tensors.get(i);
            for (long j = 0; j < x.size(); j++) {
                double difference = x.get(j) - y.get(j);
                sums[i] += difference * difference;
            }
        }
        return sums;
    }

    private static double dot(Tensor x, Tensor y) {
        if (x.type() == DType.F32) {
            return dot(x.segment(), y.segment(), x.size());
        }
        double sum = 0;
        for (long i = 0; i < x.size(); i++) {
            sum += x.get(i) * y.get(i);
        }
        return sum;
    }

    /** Four sums, since one would wait for itself. */
    private static double dot(MemorySegment x, MemorySegment y, long size) {
        double a = 0;
        double b = 0;
        double c = 0;
        double d = 0;
        long i = 0;
        for (; i + 4 <= size; i += 4) {
            a += (double) x.get(FLOAT, 4 * i) * y.get(FLOAT, 4 * i);
            b += (double) x.get(FLOAT, 4 * i + 4) * y.get(FLOAT, 4 * i + 4);
            c += (double) x.get(FLOAT, 4 * i + 8) * y.get(FLOAT, 4 * i + 8);
            d += (double) x.get(FLOAT, 4 * i + 12) * y.get(FLOAT, 4 * i + 12);
        }
        for (; i < size; i++) {
            a += (double) x.get(FLOAT, 4 * i) * y.get(FLOAT, 4 * i);
        }
        return (a + b) + (c + d);
    }

    @Override
    public void close() {
        slab.close();
    }
}
