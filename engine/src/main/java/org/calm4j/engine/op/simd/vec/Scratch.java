package org.calm4j.engine.op.simd.vec;

import org.calm4j.engine.tensor.HostBuffer;

/** Working memory that grows to the largest request and stays: nothing is allocated in the steady state. */
public final class Scratch implements AutoCloseable {
    private HostBuffer buffer;

    /** The address of at least {@code count} floats; earlier contents may be lost. */
    public long floats(long count) {
        if (buffer == null || buffer.bytes() < 4 * count) {
            close();
            // A quarter more, so that slowly growing requests do not allocate every time.
            buffer = new HostBuffer(4 * (count + count / 4));
        }
        return buffer.segment().address();
    }

    @Override
    public void close() {
        if (buffer != null) {
            buffer.close();
            buffer = null;
        }
    }
}
