package org.calm4j.kernels.driver;

import jcuda.driver.CUstream;
import jcuda.driver.CUstream_flags;
import jcuda.driver.JCudaDriver;

/** A queue of work on the device; it is done in order, and the host does not wait for it. */
public final class CudaStream implements AutoCloseable {
    /** Shows its address, which JCuda hides. */
    private static final class Handle extends CUstream {
        long address() {
            return getNativePointer();
        }
    }

    private final Handle stream = new Handle();
    private boolean open = true;

    CudaStream() {
        JCudaDriver.cuStreamCreate(stream, CUstream_flags.CU_STREAM_NON_BLOCKING);
    }

    public CUstream handle() {
        return stream;
    }

    /** For libraries that JCuda does not know. */
    long address() {
        return stream.address();
    }

    /** Waits until everything in the queue is done. */
    public void synchronize() {
        JCudaDriver.cuStreamSynchronize(stream);
    }

    @Override
    public void close() {
        if (open) {
            open = false;
            JCudaDriver.cuStreamDestroy(stream);
        }
    }
}
