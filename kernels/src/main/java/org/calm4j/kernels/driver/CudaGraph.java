package org.calm4j.kernels.driver;

import jcuda.CudaException;
import jcuda.driver.CUgraph;
import jcuda.driver.CUgraphExec;
import jcuda.driver.CUstreamCaptureMode;
import jcuda.driver.JCudaDriver;

/** Launches that were recorded and are started together, with the arguments that they had then. */
public final class CudaGraph implements AutoCloseable {
    private final Device device;
    private final CUgraphExec executable = new CUgraphExec();
    private boolean open = true;

    /** @param work launches, and nothing that waits for the device or takes memory; none of it runs now */
    public CudaGraph(Device device, Runnable work) {
        this.device = device;
        CUgraph graph = new CUgraph();
        device.enter();
        JCudaDriver.cuStreamBeginCapture(
                device.stream().handle(), CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL);
        try {
            work.run();
        } catch (RuntimeException | Error e) {
            // The stream records until the recording is ended; an error there follows from the failure.
            try {
                JCudaDriver.cuStreamEndCapture(device.stream().handle(), graph);
                JCudaDriver.cuGraphDestroy(graph);
            } catch (CudaException ended) {
                e.addSuppressed(ended);
            }
            throw e;
        }
        JCudaDriver.cuStreamEndCapture(device.stream().handle(), graph);
        try {
            JCudaDriver.cuGraphInstantiate(executable, graph, 0);
        } finally {
            JCudaDriver.cuGraphDestroy(graph);
        }
    }

    public void launch() {
        device.enter();
        JCudaDriver.cuGraphLaunch(executable, device.stream().handle());
    }

    @Override
    public void close() {
        if (open) {
            open = false;
            device.call("closing", () -> JCudaDriver.cuGraphExecDestroy(executable));
        }
    }
}
