package org.calm4j.kernels.driver;

import java.util.ArrayDeque;
import java.util.Deque;

/** Closes its members in reverse order and goes on after failures (after a device fault every close but the context's fails). */
public final class Owners implements AutoCloseable {
    private final Deque<Runnable> owners = new ArrayDeque<>();

    /** @param close closes a member that exists now */
    public void add(Runnable close) {
        owners.push(close);
    }

    /** For a constructor that fails half-way: closes the members so far. */
    public void closeAfter(Throwable failure) {
        try {
            close();
        } catch (RuntimeException e) {
            failure.addSuppressed(e);
        }
    }

    /** Does nothing the second time. */
    @Override
    public void close() {
        RuntimeException first = null;
        while (!owners.isEmpty()) {
            try {
                owners.pop().run();
            } catch (RuntimeException e) {
                if (first == null) {
                    first = e;
                } else {
                    first.addSuppressed(e);
                }
            }
        }
        if (first != null) {
            throw first;
        }
    }
}
