package org.calm4j.engine.ranks;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.function.Function;
import org.calm4j.engine.tensor.Tensor;

/** Ranks that are threads of one process, for tests of what is divided among them. */
public final class RanksInThreads {
    private final List<BlockingQueue<Ranks.Message>> inboxes = new ArrayList<>();
    private final CyclicBarrier barrier;
    private final long limit;
    private final double[][] values;
    private final BlockingQueue<byte[]>[][] wires;
    private final byte[][] told = new byte[1][];

    @SuppressWarnings({"unchecked", "rawtypes"})
    private RanksInThreads(int size, long limit) {
        this.limit = limit;
        wires = new BlockingQueue[size][size];
        for (BlockingQueue[] row : wires) {
            Arrays.setAll(row, to -> new LinkedBlockingQueue<byte[]>());
        }
        barrier = new CyclicBarrier(size);
        values = new double[size][];
        for (int r = 0; r < size; r++) {
            inboxes.add(new LinkedBlockingQueue<>());
        }
    }

    /** @param limit seconds that one waits for others */
    public static <T> List<T> run(int size, long limit, Function<Ranks, T> work) {
        return run(new RanksInThreads(size, limit), work);
    }

    /** Runs the same on some ranks; returns what each returned, and throws what the first of them threw. */
    public static <T> List<T> run(int size, Function<Ranks, T> work) {
        return run(new RanksInThreads(size, 5), work);
    }

    private static <T> List<T> run(RanksInThreads all, Function<Ranks, T> work) {
        int size = all.values.length;
        ExecutorService threads =
                Executors.newFixedThreadPool(size, Thread.ofPlatform().daemon().factory());
        try {
            List<Future<T>> running = new ArrayList<>();
            for (int r = 0; r < size; r++) {
                One one = all.new One(r);
                running.add(threads.submit(() -> work.apply(one)));
            }
            List<T> results = new ArrayList<>();
            for (Future<T> each : running) {
                results.add(each.get());
            }
            return results;
        } catch (Exception e) {
            throw new IllegalStateException(e);
        } finally {
            // Where one failed, the others wait for it.
            threads.shutdownNow();
        }
    }

    private static <T> T taken(BlockingQueue<T> queue) {
        try {
            return queue.take();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    private void await() {
        try {
            barrier.await();
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    private final class One implements Ranks, Wire {
        private final int rank;

        One(int rank) {
            this.rank = rank;
        }

        @Override
        public int rank() {
            return rank;
        }

        @Override
        public int size() {
            return values.length;
        }

        @Override
        public int localRank() {
            return rank;
        }

        @Override
        public int localSize() {
            return values.length;
        }

        @Override
        public int sharers() {
            return values.length;
        }

        @Override
        public long limit() {
            return limit;
        }

        @Override
        public String name() {
            return "rank " + rank + " on here";
        }

        @Override
        public void sum(double[] own) {
            values[rank] = own.clone();
            await();
            for (int i = 0; i < own.length; i++) {
                own[i] = 0;
                for (double[] each : values) {
                    own[i] += each[i];
                }
            }
            await();
        }

        @Override
        public void sumInAnyOrder(Tensor floats) {
            throw new UnsupportedOperationException();
        }

        @Override
        public byte[] broadcast(byte[] bytes) {
            if (rank == 0) {
                told[0] = bytes;
            }
            await();
            byte[] all = told[0].clone();
            await();
            return all;
        }

        @Override
        public void waitForAll() {
            await();
        }

        @Override
        public void send(int to, byte[] message) {
            inboxes.get(to).add(new Message(rank, message.clone()));
        }

        @Override
        public Message receive() {
            return taken(inboxes.get(rank));
        }

        @Override
        public Wire wire() {
            return this;
        }

        @Override
        public void exchange(Tensor give, Tensor take, int peer) {
            wires[rank][peer].add(give.segment().toArray(ValueLayout.JAVA_BYTE));
            take.segment().copyFrom(MemorySegment.ofArray(taken(wires[peer][rank])));
        }

        @Override
        public void abort(int code) {
            throw new IllegalStateException("aborted with " + code);
        }

        @Override
        public void close() {
            // Its thread ends.
        }
    }
}
