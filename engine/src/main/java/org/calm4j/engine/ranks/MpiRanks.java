package org.calm4j.engine.ranks;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.tensor.Tensor;

/** Ranks that talk through MPI. */
final class MpiRanks implements Ranks, Wire {
    private static final long STANDARD_LIMIT = 600;
    private static final int HEAD = 1;
    private static final int BODY = 2;
    private static final int TENSOR = 3;

    private final Mpi mpi;
    private final MpiThread thread = new MpiThread();
    private final long limit;
    private int rank;
    private int size;
    private int localRank;
    private int localSize;
    private int sharers;
    private String name;

    /**
     * Joins the others.
     *
     * @throws CalmException failed: the library and the launcher do not belong together
     */
    MpiRanks(Launcher launcher, Map<String, String> environment) {
        String given = environment.get("CALM_MPI");
        limit = limit(environment.get("CALM_RANK_TIMEOUT"));
        mpi = Mpi.load(given == null ? launcher.libraries() : List.of(given), launcher.name());
        thread.run(() -> {
            mpi.begin();
            rank = mpi.rank();
            size = mpi.size();
            localRank = mpi.localRank();
            localSize = mpi.localSize();
            name = "rank " + rank + " on " + mpi.host();
        });
        if (launcher.size() > 0 && launcher.size() != size) {
            throw CalmException.failed(
                    launcher.name() + " started " + launcher.size() + " processes, and " + mpi.described() + " sees "
                            + size + ": take that library's own mpiexec, or set CALM_MPI to the library of "
                            + launcher.name(),
                    null);
        }
        sharers = countSharers();
    }

    /** Ranks of this machine that may run on the same processors; where each is bound to its own, that is one. */
    private int countSharers() {
        String place = name.substring(name.indexOf(" on ")) + Native.allowedProcessors();
        double[] places = new double[size];
        // A double holds whole numbers of this many bits.
        places[rank] = (place.hashCode() & 0xffffffffL) + 1;
        sum(places);
        return (int) Arrays.stream(places).filter(each -> each == places[rank]).count();
    }

    private static long limit(String seconds) {
        if (seconds == null) {
            return STANDARD_LIMIT;
        }
        if (!seconds.matches("[1-9]\\d{0,8}")) {
            throw CalmException.usage("CALM_RANK_TIMEOUT is '" + seconds + "', not a number of seconds of at least 1");
        }
        return Long.parseLong(seconds);
    }

    @Override
    public int rank() {
        return rank;
    }

    @Override
    public int size() {
        return size;
    }

    @Override
    public int localRank() {
        return localRank;
    }

    @Override
    public int localSize() {
        return localSize;
    }

    @Override
    public int sharers() {
        return sharers;
    }

    @Override
    public long limit() {
        return limit;
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public void sum(double[] values) {
        Arena arena = Arena.ofAuto();
        MemorySegment doubles = arena.allocateFrom(ValueLayout.JAVA_DOUBLE, values);
        limited("the other ranks", request(() -> mpi.sum(doubles)));
        MemorySegment.copy(doubles, ValueLayout.JAVA_DOUBLE, 0, values, 0, values.length);
    }

    @Override
    public byte[] broadcast(byte[] bytes) {
        Arena arena = Arena.ofAuto();
        MemorySegment length = arena.allocate(ValueLayout.JAVA_LONG);
        length.set(ValueLayout.JAVA_LONG, 0, isFirst() ? bytes.length : 0);
        thread.call(request(() -> mpi.broadcast(length, 0)));
        MemorySegment all = arena.allocate(length.get(ValueLayout.JAVA_LONG, 0));
        if (isFirst()) {
            MemorySegment.copy(bytes, 0, all, ValueLayout.JAVA_BYTE, 0, bytes.length);
        }
        thread.call(request(() -> mpi.broadcast(all, 0)));
        return all.toArray(ValueLayout.JAVA_BYTE);
    }

    @Override
    public void waitForAll() {
        thread.call(request(mpi::barrier));
    }

    @Override
    public void send(int to, byte[] message) {
        // Who receives from anybody must learn who sent it, and where MPI says so is another place in every library.
        Arena arena = Arena.ofAuto();
        MemorySegment head = arena.allocateFrom(ValueLayout.JAVA_LONG, rank, message.length);
        MemorySegment body = arena.allocateFrom(ValueLayout.JAVA_BYTE, message);
        thread.call(request(() -> mpi.send(head, to, HEAD)));
        thread.call(request(() -> mpi.send(body, to, BODY)));
    }

    @Override
    public Message receive() {
        Arena arena = Arena.ofAuto();
        MemorySegment head = arena.allocate(ValueLayout.JAVA_LONG, 2);
        thread.call(request(() -> mpi.receive(head, -1, HEAD)));
        int from = (int) head.getAtIndex(ValueLayout.JAVA_LONG, 0);
        MemorySegment body = arena.allocate(head.getAtIndex(ValueLayout.JAVA_LONG, 1));
        thread.call(request(() -> mpi.receive(body, from, BODY)));
        return new Message(from, body.toArray(ValueLayout.JAVA_BYTE));
    }

    @Override
    public Wire wire() {
        return this;
    }

    @Override
    public void exchange(Tensor give, Tensor take, int peer) {
        MemorySegment out = give.segment();
        MemorySegment in = take.segment();
        Chunks sent = new Chunks(mpi, out, chunk -> mpi.send(chunk, peer, TENSOR));
        Chunks received = new Chunks(mpi, in, chunk -> mpi.receive(chunk, peer, TENSOR));
        limited("rank " + peer, () -> {
            MpiThread.Step one = received.advance();
            MpiThread.Step other = sent.advance();
            boolean moved = one == MpiThread.Step.MOVED || other == MpiThread.Step.MOVED;
            return one == other ? one : moved ? MpiThread.Step.MOVED : MpiThread.Step.WAITS;
        });
    }

    @Override
    public void sumInAnyOrder(Tensor tensor) {
        limited("the other ranks", request(() -> mpi.sumFloats(tensor.segment())));
    }

    private MpiThread.Call request(Supplier<MemorySegment> start) {
        MemorySegment[] request = {null};
        return () -> {
            if (request[0] == null) {
                request[0] = start.get();
            }
            return mpi.isDone(request[0]) ? MpiThread.Step.DONE : MpiThread.Step.WAITS;
        };
    }

    private void limited(String whom, MpiThread.Call call) {
        try {
            thread.within(call, limit);
        } catch (TimeoutException e) {
            throw CalmException.failed(
                    name + " has waited " + limit + " s for " + whom
                            + "; look whether it hangs, or set CALM_RANK_TIMEOUT to more seconds",
                    e);
        }
    }

    @Override
    public void abort(int code) {
        try {
            thread.within(
                    () -> {
                        mpi.abort(code);
                        return MpiThread.Step.DONE;
                    },
                    2);
        } catch (TimeoutException | RuntimeException e) {
            // It hangs inside the library: then from here, before nobody does.
            mpi.abort(code);
        } finally {
            Runtime.getRuntime().halt(code);
        }
    }

    @Override
    public void close() {
        waitForAll();
        thread.run(mpi::end);
    }
}
