package org.calm4j.kernels.driver;

import jcuda.CudaException;
import org.calm4j.engine.CalmException;

/** One device for all calls: its context, the one stream of all work, and the meaning of failed calls. */
public final class Device implements AutoCloseable {
    /** The variable that makes every launch wait for its end, so that a fault names its kernel. */
    public static final String DEBUG = "CALM_CUDA_DEBUG";

    private final boolean debug = "1".equals(System.getenv(DEBUG));
    private final Owners owners = new Owners();
    private final CudaContext context;
    private final CudaStream stream;
    private boolean open = true;

    /** @param ordinal of a device that exists */
    Device(int ordinal) {
        context = new CudaContext(ordinal);
        owners.add(context::close);
        try {
            stream = new CudaStream();
        } catch (RuntimeException | Error e) {
            owners.closeAfter(e);
            throw e;
        }
        owners.add(stream::close);
    }

    /** Makes the device's context this thread's. */
    void enter() {
        context.enter();
    }

    public boolean debug() {
        return debug;
    }

    CudaContext context() {
        return context;
    }

    public CudaStream stream() {
        return stream;
    }

    /** Waits for the device. */
    public void synchronize() {
        call("waiting for the device", stream::synchronize);
    }

    /** Calls of the driver other than launches. A fault in a kernel surfaces at any of them, and the message says so. */
    public void call(String what, Runnable calls) {
        enter();
        try {
            calls.run();
        } catch (CudaException e) {
            throw fault("found while " + what + "; " + DEBUG + "=1 finds the kernel", e);
        }
    }

    public CalmException fault(String where, CudaException e) {
        return CalmException.failed("the GPU reports " + e.getMessage() + " (" + where + ")", e);
    }

    /** Without its context, memory cannot be freed. */
    boolean isOpen() {
        return open;
    }

    @Override
    public void close() {
        if (open) {
            try {
                call("closing", owners::close);
            } finally {
                open = false;
            }
        }
    }
}
