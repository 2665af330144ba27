package org.calm4j.engine.tensor;

/** Owner of one stretch of memory, on the host or on a device; whoever allocates it closes it. Closing twice is harmless. */
public interface Buffer extends AutoCloseable {
    long bytes();

    @Override
    void close();
}
