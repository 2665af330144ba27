package org.calm4j.engine.ranks;

import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.calm4j.engine.CalmException;

/**
 * Work in numbered parts, made by all ranks: rank 0 hands out the next part to whoever is free, makes parts itself, and gets all that is
 * made. A part must not depend on who makes it. A slow rank makes fewer parts, and nobody waits for it before the end.
 */
public final class HandOut<T> {
    /**
     * What is done in parts.
     *
     * @param <T> a part when it is made
     */
    public interface Work<T> {
        /** Makes a part; on any rank, one at a time there. */
        T make(int part);

        /** A part for the way to rank 0. */
        byte[] pack(T made);

        T unpack(byte[] bytes);

        /** Receives all parts on rank 0, as they come, one at a time. */
        void take(int part, T made);
    }

    /** In place of a part: none yet, or no more. */
    private static final int NONE = -1;

    /** A rank may take this many times as long for a part as any did before. */
    private static final int PATIENCE = 8;

    private final Ranks ranks;
    private final Work<T> work;
    private final Deque<Integer> left;
    /** When each rank got its part. */
    private final TreeMap<Integer, Long> underWay = new TreeMap<>();

    private int open;
    private long longest;
    private RuntimeException failure;

    private HandOut(Ranks ranks, List<Integer> parts, Work<T> work) {
        this.ranks = ranks;
        this.work = work;
        left = new ArrayDeque<>(parts);
        open = ranks.size() - 1;
    }

    /**
     * Returns when all parts are made, on rank 0 when it has them.
     *
     * @param parts which are to be made, in the order in which they are handed out; only rank 0's count
     * @throws CalmException failed: a rank does not deliver its part
     */
    public static <T> void run(Ranks ranks, List<Integer> parts, Work<T> work) {
        if (ranks.isFirst()) {
            new HandOut<>(ranks, parts, work).run();
            return;
        }
        int part = NONE;
        byte[] made = new byte[0];
        while (true) {
            ranks.send(0, message(part, made));
            part = ByteBuffer.wrap(ranks.receive().bytes()).getInt();
            if (part == NONE) {
                return;
            }
            made = work.pack(work.make(part));
        }
    }

    private static byte[] message(int part, byte[] bytes) {
        return ByteBuffer.allocate(Integer.BYTES + bytes.length)
                .putInt(part)
                .put(bytes)
                .array();
    }

    private void run() {
        if (open > 0) {
            Thread.ofPlatform().daemon().name("hand-out").start(this::serve);
        }
        for (Integer part = next(0); part != null; part = next(0)) {
            take(0, part, work.make(part));
        }
        awaitOthers();
    }

    private synchronized Integer next(int rank) {
        if (failure != null) {
            throw failure;
        }
        Integer part = left.poll();
        if (part != null) {
            underWay.put(rank, System.nanoTime());
        }
        return part;
    }

    private synchronized void take(int rank, int part, T made) {
        longest = Math.max(longest, System.nanoTime() - underWay.remove(rank));
        work.take(part, made);
    }

    private void serve() {
        try {
            while (!isServed()) {
                Ranks.Message message = ranks.receive();
                ByteBuffer bytes = ByteBuffer.wrap(message.bytes());
                int part = bytes.getInt();
                if (part != NONE) {
                    byte[] made = new byte[bytes.remaining()];
                    bytes.get(made);
                    take(message.from(), part, work.unpack(made));
                }
                Integer next = next(message.from());
                ranks.send(message.from(), message(next == null ? NONE : next, new byte[0]));
                if (next == null) {
                    served();
                }
            }
        } catch (RuntimeException e) {
            fail(e);
        }
    }

    private synchronized boolean isServed() {
        return open == 0;
    }

    private synchronized void served() {
        open--;
        notifyAll();
    }

    private synchronized void fail(RuntimeException e) {
        failure = e;
        notifyAll();
    }

    private synchronized void awaitOthers() {
        while (open > 0 && failure == null) {
            long patience = Math.max(ranks.limit() * 1_000_000_000, PATIENCE * longest);
            long now = System.nanoTime();
            List<Integer> late = underWay.entrySet().stream()
                    .filter(each -> now - each.getValue() > patience)
                    .map(TreeMap.Entry::getKey)
                    .toList();
            if (!late.isEmpty()) {
                throw CalmException.failed(
                        "no answer for " + patience / 1_000_000_000 + " s from rank "
                                + late.stream().map(String::valueOf).collect(Collectors.joining(", "))
                                + "; look whether it hangs, or set CALM_RANK_TIMEOUT to more seconds",
                        null);
            }
            try {
                wait(100);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw CalmException.failed("interrupted while waiting for another rank", e);
            }
        }
        if (failure != null) {
            throw failure;
        }
    }
}
