package org.calm4j.benchmarks;

/** Passes of a small model, whichever loader its pages come from. */
public interface Passes extends AutoCloseable {
    /** Forward and backward. */
    void training();

    /** One token. */
    void decoding();

    @Override
    void close();
}
