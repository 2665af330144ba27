package org.calm4j.engine.op.cases;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.function.BiConsumer;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.scalar.ScalarBackend;
import org.calm4j.engine.tensor.Buffer;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;

/**
 * One case under way: the same inputs on the scalar definition and on a backend, and what both make of them. A trial of a backend alone checks
 * nothing; it is for those who count or time what cases do.
 */
public final class Trial implements AutoCloseable {
    private final String name;
    private final Tolerances tolerances;
    private final int chunk;
    /** The definition first, where it takes part; the backend last. */
    private final List<Backend> backends;
    /** What operations are called on, in the same order. */
    private final List<Backend> called;

    private final List<Buffer> buffers = new ArrayList<>();
    private final Random random;

    private Trial(OpCase of, Tolerances tolerances, int chunk, List<Backend> backends, List<Backend> called) {
        name = of.name();
        this.tolerances = tolerances;
        this.chunk = chunk;
        this.backends = backends;
        this.called = called;
        // Of the name alone, so that a case run by itself has the numbers that it had among others.
        random = new Random(name.hashCode());
    }

    /** @param chunk words that the backend does at a time where a vocabulary goes by in chunks */
    public static Trial against(OpCase of, Backend backend, Tolerances tolerances, int chunk) {
        List<Backend> backends = List.of(new ScalarBackend(), backend);
        return new Trial(of, tolerances, chunk, backends, backends);
    }

    /** Without a check. */
    public static Trial of(OpCase of, Backend backend) {
        return of(of, backend, backend);
    }

    /** @param called has the backend's tensors, and hears of each operation */
    static Trial of(OpCase of, Backend backend, Backend called) {
        return new Trial(of, Tolerances.F32, Integer.MAX_VALUE, List.of(backend), List.of(called));
    }

    Random random() {
        return random;
    }

    Tolerances tolerances() {
        return tolerances;
    }

    int chunk() {
        return chunk;
    }

    /** The one that is tested. */
    Backend backend() {
        return backends.getLast();
    }

    /** Its number: 0 where it is alone, 1 beside the definition. */
    int tested() {
        return backends.size() - 1;
    }

    /** Uniform numbers from −scale to scale. */
    Tensor[] tensor(DType type, double scale, long... shape) {
        return tensor(
                type,
                random.doubles(Tensor.product(shape))
                        .map(x -> scale * (2 * x - 1))
                        .toArray(),
                shape);
    }

    Tensor[] tensor(DType type, double[] values, long... shape) {
        return backends.stream().map(of -> make(of, type, values, shape)).toArray(Tensor[]::new);
    }

    /** Numbers below a bound. */
    Tensor[] indices(int bound, int n) {
        return indices(random.ints(n, 0, bound).toArray());
    }

    Tensor[] indices(int[] values) {
        return backends.stream()
                .map(of -> {
                    Tensor tensor =
                            new Tensor("indices", allocate(of, 4L * values.length), 0, DType.I32, values.length);
                    of.write(tensor, values, values.length);
                    return tensor;
                })
                .toArray(Tensor[]::new);
    }

    private Tensor make(Backend of, DType type, double[] values, long... shape) {
        Tensor tensor = new Tensor("t", allocate(of, values.length * (long) type.bytes()), 0, type, shape);
        if (type == of.computeType() || type == DType.F32) {
            of.write(tensor, values, values.length);
        } else {
            Tensor wide = new Tensor("wide", allocate(of, 4L * values.length), 0, DType.F32, shape);
            of.write(wide, values, values.length);
            of.copy(tensor, wide);
        }
        return tensor;
    }

    /** NaN, or null without elements. */
    Tensor unset(Backend of, long elements) {
        if (elements == 0) {
            return null;
        }
        double[] values = new double[Math.toIntExact(elements)];
        Arrays.fill(values, Double.NaN);
        return make(of, DType.F32, values, elements);
    }

    Buffer allocate(Backend of, long bytes) {
        Buffer buffer = of.allocate(bytes);
        buffers.add(buffer);
        return buffer;
    }

    /** The same on each backend, whose tensors have the number it is given. */
    void run(BiConsumer<Backend, Integer> operation) {
        for (int i = 0; i < backends.size(); i++) {
            operation.accept(called.get(i), i);
        }
    }

    void check(String what, double tolerance, Tensor[] pair) {
        check(what, tolerance, pair, 0);
    }

    /** @param typical magnitude of the result before terms cancel: few elements may all come out small by chance */
    void check(String what, double tolerance, Tensor[] pair, double typical) {
        if (pair.length > 1) {
            check(what, tolerance, values(0, pair[0]), values(1, pair[1]), typical);
        }
    }

    void check(String what, double tolerance, double[] right, double[] given, double typical) {
        double difference = 0;
        double magnitude = Math.max(typical, 1e-30);
        for (int i = 0; i < right.length; i++) {
            difference = Math.max(
                    difference, Double.isNaN(given[i]) ? Double.POSITIVE_INFINITY : Math.abs(given[i] - right[i]));
            magnitude = Math.max(magnitude, Math.abs(right[i]));
        }
        assertThat(difference / magnitude).as(about(what)).isLessThanOrEqualTo(tolerance);
    }

    /** What a failure says of itself. */
    String about(String what) {
        return what + " of " + name + "; alone: -D" + OpCases.PROPERTY + "='" + name + "'";
    }

    double[] values(int backend, Tensor tensor) {
        double[] values = new double[Math.toIntExact(tensor.size())];
        backends.get(backend).read(values, tensor, values.length);
        return values;
    }

    /** The largest magnitude that the first backend has. */
    double largest(Tensor[] pair) {
        return Arrays.stream(values(0, pair[0])).map(Math::abs).max().orElseThrow();
    }

    /** Gives the tensors' memory back; backends are closed by whoever opened them. */
    @Override
    public void close() {
        buffers.forEach(Buffer::close);
    }
}
