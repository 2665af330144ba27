package org.calm4j.engine.ranks;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.calm4j.engine.CalmException;

/** The one thread that calls MPI. It keeps any number of calls under way, and naps while none of them moves. */
final class MpiThread {
    /** How far a call came. */
    enum Step {
        WAITS,
        MOVED,
        DONE
    }

    /** A call: takes itself a little further, without blocking. */
    @FunctionalInterface
    interface Call {
        Step advance();
    }

    private static final class Pending {
        private final Call call;
        private final CompletableFuture<Void> done = new CompletableFuture<>();

        Pending(Call call) {
            this.call = call;
        }

        Step advance() {
            try {
                Step step = call.advance();
                if (step == Step.DONE) {
                    done.complete(null);
                }
                return step;
            } catch (RuntimeException | Error e) {
                done.completeExceptionally(e);
                return Step.DONE;
            }
        }
    }

    /** Looks before the first nap; two ranks that add up numbers meet within them. */
    private static final int LOOKS = 200;

    private static final long SHORTEST_NAP = 10_000;
    private static final long LONGEST_NAP = 1_000_000;

    private final BlockingQueue<Pending> calls = new LinkedBlockingQueue<>();

    MpiThread() {
        Thread.ofPlatform().daemon().name("mpi").start(this::loop);
    }

    private void loop() {
        List<Pending> pending = new ArrayList<>();
        int looks = 0;
        long nap = SHORTEST_NAP;
        while (true) {
            Pending next;
            try {
                if (pending.isEmpty()) {
                    next = calls.take();
                } else if (looks++ < LOOKS) {
                    Thread.yield();
                    next = calls.poll();
                } else {
                    next = calls.poll(nap, TimeUnit.NANOSECONDS);
                    nap = Math.min(2 * nap, LONGEST_NAP);
                }
            } catch (InterruptedException e) {
                return;
            }
            if (next != null) {
                pending.add(next);
            }
            boolean moved = next != null;
            for (int i = 0; i < pending.size(); i++) {
                Step step = pending.get(i).advance();
                moved |= step != Step.WAITS;
                if (step == Step.DONE) {
                    pending.remove(i--);
                }
            }
            if (moved) {
                looks = 0;
                nap = SHORTEST_NAP;
            }
        }
    }

    /** Runs something short. */
    void run(Runnable call) {
        call(() -> {
            call.run();
            return Step.DONE;
        });
    }

    /** Returns when a call is done, without a limit. */
    void call(Call call) {
        try {
            within(call, Long.MAX_VALUE);
        } catch (TimeoutException e) {
            throw new IllegalStateException(e);
        }
    }

    /** @throws TimeoutException it took longer than that; it is still under way */
    void within(Call call, long seconds) throws TimeoutException {
        Pending pending = new Pending(call);
        calls.add(pending);
        try {
            pending.done.get(seconds, TimeUnit.SECONDS);
        } catch (ExecutionException e) {
            throw e.getCause() instanceof CalmException known
                    ? CalmException.failed(known.getMessage(), known)
                    : new IllegalStateException(e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw CalmException.failed("interrupted while waiting for another rank", e);
        }
    }
}
