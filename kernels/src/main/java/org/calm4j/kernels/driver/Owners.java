package org.calm4j.kernels.driver;

import java.util.ArrayDeque;
import java.util.Deque;

/** What is closed together: the last first, and all of them even where one fails, as after a fault of the device all but the context do. */
public final class Owners implements AutoCloseable {
    private final Deque<Runnable> owners = new ArrayDeque<>();

    /** @param close what ends an owner that exists now */
    public void add(Runnable close) {
        owners.push(close);
    }

    /** In a constructor that fails half-way: closes what there is. */
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
