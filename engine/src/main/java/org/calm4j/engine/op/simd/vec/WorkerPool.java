package org.calm4j.engine.op.simd.vec;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;

/**
 * A fixed pool of threads that share the indices of a task, each taking the next one; the caller works too. So a thread that has lost its
 * core to another process delays only the index that it holds.
 *
 * <p>What an index computes must not depend on which thread runs it, so results are the same for any number of threads. One caller at a
 * time; tasks do not start tasks.
 */
public final class WorkerPool implements AutoCloseable {
    /** One piece of work. */
    public interface Task {
        /** @param worker in [0,threads): names the scratch memory that this thread may use */
        void run(int index, int worker);
    }

    /** Waking the other threads costs about this much, so less work stays with the caller. */
    private static final long WAKE_NANOS = 4_000;
    /** About 50 µs: longer than the gaps between the operations of a model, too short to be noticed. */
    private static final int SPINS = 2_000;

    private final Worker[] workers;
    /** The round in the high half, the number of its indices not yet taken in the low half. */
    private final AtomicLong left = new AtomicLong();
    /** Indices of the round that are not done. */
    private final AtomicInteger pending = new AtomicInteger();

    private volatile int generation;
    private volatile Thread waiting;
    private volatile Throwable failure;
    private volatile boolean closed;
    private Task task;

    public WorkerPool(int threads) {
        workers = new Worker[threads - 1];
        for (int i = 0; i < workers.length; i++) {
            workers[i] = new Worker(i + 1);
            workers[i].start();
        }
    }

    public int threads() {
        return workers.length + 1;
    }

    /**
     * Runs {@code task} for all indices in [0,count) and returns when all are done.
     *
     * @param nanos approximate duration on one thread
     */
    public void run(Task task, int count, long nanos) {
        if (workers.length == 0 || count < 2 || nanos < WAKE_NANOS) {
            for (int i = 0; i < count; i++) {
                task.run(i, 0);
            }
            return;
        }
        this.task = task;
        pending.set(count);
        int round = generation + 1;
        left.set((long) round << 32 | count);
        generation = round;
        for (Worker worker : workers) {
            if (worker.parked) {
                LockSupport.unpark(worker);
            }
        }
        take(round, 0);
        await();
        Throwable thrown = failure;
        if (thrown != null) {
            failure = null;
            throw new IllegalStateException("a worker thread failed: " + thrown, thrown);
        }
    }

    /**
     * Takes indices of a round, the last first, until none is left. A claim succeeds only while its round has indices left, and holds the
     * round open until it is done; so the task that is read after it is the round's.
     */
    private void take(int round, int worker) {
        while (true) {
            long claim = left.get();
            if ((int) (claim >>> 32) != round || (int) claim == 0) {
                return;
            }
            if (!left.compareAndSet(claim, claim - 1)) {
                continue;
            }
            try {
                task.run((int) claim - 1, worker);
            } catch (Throwable thrown) {
                failure = thrown;
            }
            if (pending.decrementAndGet() == 0) {
                Thread caller = waiting;
                if (caller != null) {
                    LockSupport.unpark(caller);
                }
            }
        }
    }

    private void await() {
        for (int i = 0; i < SPINS; i++) {
            if (pending.get() == 0) {
                return;
            }
            Thread.onSpinWait();
        }
        waiting = Thread.currentThread();
        while (pending.get() != 0) {
            LockSupport.park(this);
        }
        waiting = null;
    }

    @Override
    public void close() {
        closed = true;
        generation++;
        for (Worker worker : workers) {
            LockSupport.unpark(worker);
        }
    }

    private final class Worker extends Thread {
        private final int number;
        private volatile boolean parked;

        Worker(int number) {
            super("calm4j-worker-" + number);
            this.number = number;
            setDaemon(true);
        }

        @Override
        public void run() {
            int seen = 0;
            while (true) {
                seen = next(seen);
                if (closed) {
                    return;
                }
                take(seen, number);
            }
        }

        private int next(int seen) {
            for (int i = 0; i < SPINS; i++) {
                if (generation != seen) {
                    return generation;
                }
                Thread.onSpinWait();
            }
            parked = true;
            while (generation == seen) {
                LockSupport.park(WorkerPool.this);
            }
            parked = false;
            return generation;
        }
    }
}
