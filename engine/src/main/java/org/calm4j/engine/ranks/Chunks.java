package org.calm4j.engine.ranks;

import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.function.UnaryOperator;

/** One direction of a transfer: a stretch of memory in chunks, two under way. */
final class Chunks implements MpiThread.Call {
    private static final long CHUNK = 1 << 20;
    private static final int UNDER_WAY = 2;

    private final Mpi mpi;
    private final MemorySegment bytes;
    private final UnaryOperator<MemorySegment> start;
    private final Deque<MemorySegment> requests = new ArrayDeque<>();
    private long next;

    /** @param start begins to pass a chunk; returns the request */
    Chunks(Mpi mpi, MemorySegment bytes, UnaryOperator<MemorySegment> start) {
        this.mpi = mpi;
        this.bytes = bytes;
        this.start = start;
    }

    @Override
    public MpiThread.Step advance() {
        boolean moved = false;
        while (!requests.isEmpty() && mpi.isDone(requests.peek())) {
            requests.remove();
            moved = true;
        }
        while (requests.size() < UNDER_WAY && next < bytes.byteSize()) {
            long length = Math.min(CHUNK, bytes.byteSize() - next);
            requests.add(start.apply(bytes.asSlice(next, length)));
            next += length;
            moved = true;
        }
        if (requests.isEmpty()) {
            return MpiThread.Step.DONE;
        }
        return moved ? MpiThread.Step.MOVED : MpiThread.Step.WAITS;
    }
}
