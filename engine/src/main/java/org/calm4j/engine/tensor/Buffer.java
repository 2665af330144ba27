package org.calm4j.engine.tensor;

import java.lang.foreign.MemorySegment;

/** Owner of one stretch of memory, on the host or on a device; whoever allocates it closes it. Closing twice is harmless. */
public interface Buffer extends AutoCloseable {
    long bytes();

    /** Copies bytes from {@code offset} on to host memory, all of {@code to}. */
    void read(long offset, MemorySegment to);

    @Override
    void close();
}
