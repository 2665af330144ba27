package org.calm4j.engine.train.optim;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.ranks.Ranks;
import org.calm4j.engine.tensor.Buffer;
import org.calm4j.engine.tensor.HostBuffer;
import org.calm4j.engine.tensor.Slab;
import org.calm4j.engine.tensor.Tensor;
import org.calm4j.engine.train.division.Collectives;
import org.calm4j.engine.train.division.Division;

/**
 * One of the optimizer's numbers for each trained weight. Where ranks divide them (ZeRO-1, Rajbhandari et al. 2020, section 5.1), each keeps
 * those of the pieces whose gradient it sums up.
 */
final class Moment implements AutoCloseable {
    private final int index;
    private final Collectives collectives;
    private final Ranks ranks;
    private final Tensor whole;
    /** Bytes of the weights before those whose moments are here. */
    private final long start;

    private final Buffer memory;

    /**
     * @param index among the moments of a weight
     * @param weights in whose order they lie
     */
    Moment(int index, Backend backend, Slab weights, Collectives collectives, Division division) {
        this.index = index;
        this.collectives = collectives;
        ranks = division.dividesMoments() ? division.ranks() : Ranks.alone();
        whole = weights.whole(backend.computeType());
        Tensor own = owned(division.ranks().rank());
        start = own.offset();
        memory = backend.allocate(own.bytes());
    }

    /** The weights that a rank updates. */
    private Tensor owned(int rank) {
        return ranks.size() == 1 ? whole : collectives.of(whole, collectives.own(rank));
    }

    /**
     * Where a weight, a gradient and a moment meet.
     *
     * @param first of the weight's elements
     */
    record Part(long first, long count) {
        /** These elements of a tensor; the tensor itself where they are all. */
        Tensor of(Tensor tensor) {
            return count == tensor.size() ? tensor : tensor.view(tensor.size()).rows(first, count);
        }
    }

    /** The elements of a weight whose moments are here; none may be. */
    Part part(Tensor weight) {
        long first = Math.clamp(start - weight.offset(), 0, weight.bytes());
        long end = Math.clamp(start + memory.bytes() - weight.offset(), 0, weight.bytes());
        int size = weight.type().bytes();
        return new Part(first / size, (end - first) / size);
    }

    /** The moments of a weight that are here; null for none. */
    Tensor of(Tensor weight) {
        Part part = part(weight);
        if (part.count() == 0) {
            return null;
        }
        long offset = weight.offset() + part.first() * weight.type().bytes() - start;
        return part.count() == weight.size()
                ? new Tensor(weight.name(), memory, offset, weight.type(), weight.shape())
                : new Tensor(weight.name(), memory, offset, weight.type(), part.count());
    }

    long bytes() {
        return memory.bytes();
    }

    // ---- checkpoints ----

    /** All moments on rank 0, whose content comes from the ranks that have it, in {@link #lend}. */
    List<Tensor> borrowed(Slab weights, UnaryOperator<String> name) {
        Buffer from = ranks.size() == 1 ? memory : new Borrowed();
        List<Tensor> all = new ArrayList<>();
        for (Tensor weight : weights.tensors()) {
            all.add(new Tensor(name.apply(weight.name()), from, weight.offset(), weight.type(), weight.shape()));
        }
        return all;
    }

    /** Reads what the ranks have: tells them what it wants, and waits for it. */
    private final class Borrowed implements Buffer {
        @Override
        public long bytes() {
            return whole.bytes();
        }

        @Override
        public void read(long offset, MemorySegment to) {
            ranks.broadcast(order(index, offset, to.byteSize()));
            int parts = 0;
            for (int rank = 0; rank < ranks.size(); rank++) {
                parts += rank > 0 && overlap(rank, offset, to.byteSize())[1] > 0 ? 1 : 0;
            }
            long[] own = overlap(0, offset, to.byteSize());
            if (own[1] > 0) {
                memory.read(own[0] - start, to.asSlice(own[0] - offset, own[1]));
            }
            for (; parts > 0; parts--) {
                Ranks.Message part = ranks.receive();
                long[] place = overlap(part.from(), offset, to.byteSize());
                MemorySegment.copy(part.bytes(), 0, to, ValueLayout.JAVA_BYTE, place[0] - offset, part.bytes().length);
            }
        }

        @Override
        public void close() {
            // It has nothing of its own.
        }
    }

    private static byte[] order(long moment, long offset, long bytes) {
        return ByteBuffer.allocate(3 * Long.BYTES)
                .putLong(moment)
                .putLong(offset)
                .putLong(bytes)
                .array();
    }

    /** Start and length of what a rank has of a stretch. */
    private long[] overlap(int rank, long offset, long bytes) {
        Tensor owned = owned(rank);
        long first = Math.max(offset, owned.offset());
        long end = Math.min(offset + bytes, owned.offset() + owned.bytes());
        return new long[] {first, Math.max(0, end - first)};
    }

    /**
     * Completes what {@link #borrowed} gives: rank 0 calls it when it has read all it wants, the others meanwhile.
     *
     * @param moments in the same order on all ranks
     */
    static void lend(List<Moment> moments) {
        Ranks ranks = moments.getFirst().ranks;
        if (ranks.size() == 1) {
            return;
        }
        if (ranks.isFirst()) {
            ranks.broadcast(order(0, 0, 0));
            return;
        }
        while (true) {
            ByteBuffer order = ByteBuffer.wrap(ranks.broadcast(null));
            Moment moment = moments.get((int) order.getLong());
            long offset = order.getLong();
            long bytes = order.getLong();
            if (bytes == 0) {
                return;
            }
            moment.send(offset, bytes);
        }
    }

    private void send(long offset, long bytes) {
        long[] own = overlap(ranks.rank(), offset, bytes);
        if (own[1] > 0) {
            byte[] part = new byte[Math.toIntExact(own[1])];
            try (HostBuffer copy = new HostBuffer(part.length)) {
                memory.read(own[0] - start, copy.segment());
                MemorySegment.copy(copy.segment(), ValueLayout.JAVA_BYTE, 0, part, 0, part.length);
            }
            ranks.send(0, part);
        }
    }

    @Override
    public void close() {
        memory.close();
    }
}
