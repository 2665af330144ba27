package org.calm4j.kernels.driver;

import jcuda.CudaException;
import jcuda.driver.CUevent;
import jcuda.driver.CUevent_flags;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;

/** A mark in a stream that the host can wait for. */
final class CudaEvent implements AutoCloseable {
    private final CUevent event = new CUevent();
    private boolean open = true;

    CudaEvent() {
        JCudaDriver.cuEventCreate(event, CUevent_flags.CU_EVENT_DISABLE_TIMING);
    }

    void record(CudaStream stream) {
        JCudaDriver.cuEventRecord(event, stream.handle());
    }

    /** Whether the last record has been reached; true when there was none. */
    boolean isDone() {
        try {
            JCudaDriver.cuEventQuery(event);
            return true;
        } catch (CudaException e) {
            if (String.valueOf(e.getMessage()).contains(CUresult.stringFor(CUresult.CUDA_ERROR_NOT_READY))) {
                return false;
            }
            throw e;
        }
    }

    /** Waits for the last record; returns at once when there was none. */
    void synchronize() {
        JCudaDriver.cuEventSynchronize(event);
    }

    @Override
    public void close() {
        if (open) {
            open = false;
            JCudaDriver.cuEventDestroy(event);
        }
    }
}
