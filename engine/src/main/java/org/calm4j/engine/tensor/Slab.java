package org.calm4j.engine.tensor;

import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.LongFunction;

/** One allocation carved into named tensors, in the order in which they were planned. Each starts at a multiple of 64 bytes. */
public final class Slab implements AutoCloseable {
    private record Entry(String name, DType type, long[] shape) {}

    /** Collects names, types and shapes, so that the memory is known before it is taken. */
    public static final class Plan {
        private final List<Entry> entries = new ArrayList<>();
        private long bytes;

        public Plan add(String name, DType type, long... shape) {
            entries.add(new Entry(name, type, shape.clone()));
            bytes = align(bytes) + Math.multiplyExact(Tensor.product(shape), (long) type.bytes());
            return this;
        }

        /** Of these shapes by name. */
        public static Plan of(Map<String, long[]> shapes, DType type) {
            Plan plan = new Plan();
            shapes.forEach((name, shape) -> plan.add(name, type, shape));
            return plan;
        }

        /** Bytes of the slab. */
        public long bytes() {
            return align(bytes);
        }

        /** @param allocate allocates zeroed memory of that many bytes, for example {@code backend::allocate} */
        public Slab allocate(LongFunction<Buffer> allocate) {
            return new Slab(this, allocate.apply(bytes()));
        }
    }

    private final Buffer buffer;
    private final Map<String, Tensor> tensors = new LinkedHashMap<>();

    private Slab(Plan plan, Buffer buffer) {
        this.buffer = buffer;
        long offset = 0;
        for (Entry entry : plan.entries) {
            Tensor tensor = new Tensor(entry.name, buffer, offset, entry.type, entry.shape);
            if (tensors.put(entry.name, tensor) != null) {
                throw new IllegalArgumentException("two tensors named " + entry.name);
            }
            offset = align(offset + tensor.bytes());
        }
    }

    private static long align(long bytes) {
        return bytes + HostBuffer.ALIGNMENT - 1 & -HostBuffer.ALIGNMENT;
    }

    /** The tensor of that name; null when there is none. */
    public Tensor get(String name) {
        return tensors.get(name);
    }

    public Collection<Tensor> tensors() {
        return tensors.values();
    }

    /** Shapes by name. */
    public Map<String, long[]> shapes() {
        Map<String, long[]> shapes = new LinkedHashMap<>();
        tensors.forEach((name, tensor) -> shapes.put(name, tensor.shape()));
        return shapes;
    }

    /** All of it as one row of that type, padding between tensors included: to zero it, or to sum it between machines. */
    public Tensor whole(DType type) {
        return new Tensor("whole", buffer, 0, type, buffer.bytes() / type.bytes());
    }

    public long bytes() {
        return buffer.bytes();
    }

    @Override
    public void close() {
        buffer.close();
    }
}
