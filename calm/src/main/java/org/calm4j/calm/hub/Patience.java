package org.calm4j.calm.hub;

import java.io.IOException;
import java.io.InputStream;
import java.time.Duration;
import java.util.concurrent.locks.LockSupport;

/** Closes a stream that has been silent for too long, so that its reader can go on. */
final class Patience implements AutoCloseable {
    private final InputStream stream;
    private final long most;
    private volatile long heard = System.nanoTime();
    private volatile boolean over;
    private volatile boolean lost;

    Patience(InputStream stream, Duration most) {
        this.stream = stream;
        this.most = most.toNanos();
        Thread.ofVirtual().name("patience").start(this::watch);
    }

    private void watch() {
        while (!over) {
            long left = heard + most - System.nanoTime();
            if (left > 0) {
                LockSupport.parkNanos(Math.min(left, 1_000_000_000));
                continue;
            }
            lost = true;
            over = true;
            try {
                stream.close();
            } catch (IOException e) {
                // Nobody reads it any more.
            }
        }
    }

    /** Call when data arrived. */
    void heard() {
        heard = System.nanoTime();
    }

    /** Whether patience ran out and the stream was closed. */
    boolean isLost() {
        return lost;
    }

    @Override
    public void close() {
        over = true;
    }
}
