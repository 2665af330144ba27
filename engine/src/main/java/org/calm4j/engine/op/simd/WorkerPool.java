package org.calm4j.engine.op.simd;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;

/**
 * A fixed number of threads that share numbered tasks: thread w takes tasks w, w + threads, … Who computes a task never changes what it
 * computes, so results do not depend on the number of threads. The caller is one of them. Waiting threads spin for a moment, then park.
 */
final class WorkerPool implements AutoCloseable {
    private static final int SPINS = 20_000;

    /** One piece of an operation; pieces write to places of their own. */
    @FunctionalInterface
    interface Task {
        void run(int index);
    }

    private final Thread[] workers;
    private final AtomicInteger running = new AtomicInteger();
    private Task task;
    private int count;
    private volatile int round;
    private volatile boolean closed;
    private volatile Throwable failure;

    WorkerPool(int threads) {
        workers = new Thread[threads - 1];
        for (int w = 0; w < workers.length; w++) {
            int number = w + 1;
            workers[w] = new Thread(() -> work(number), "calm4j-worker-" + number);
            workers[w].setDaemon(true);
            workers[w].start();
        }
    }

    int threads() {
        return workers.length + 1;
    }

    /** Runs tasks 0 … count-1 and returns when all are done. */
    void run(int count, Task task) {
        if (workers.length == 0 || count == 1) {
            for (int i = 0; i < count; i++) {
                task.run(i);
            }
            return;
        }
        this.task = task;
        this.count = count;
        running.set(workers.length);
        round++;
        for (Thread worker : workers) {
            LockSupport.unpark(worker);
        }
        share(0);
        while (running.get() > 0) {
            Thread.onSpinWait();
        }
        if (failure != null) {
            Throwable thrown = failure;
            failure = null;
            throw new IllegalStateException("a worker thread failed", thrown);
        }
    }

    private void share(int first) {
        for (int i = first; i < count; i += threads()) {
            task.run(i);
        }
    }

    private void work(int number) {
        int seen = 0;
        while (true) {
            for (int spins = 0; round == seen && !closed; spins++) {
                if (spins < SPINS) {
                    Thread.onSpinWait();
                } else {
                    LockSupport.park(this);
                }
            }
            if (closed) {
                return;
            }
            seen = round;
            try {
                share(number);
            } catch (Throwable e) {
                failure = e;
            }
            running.decrementAndGet();
        }
    }

    @Override
    public void close() {
        closed = true;
        for (Thread worker : workers) {
            LockSupport.unpark(worker);
        }
    }
}
