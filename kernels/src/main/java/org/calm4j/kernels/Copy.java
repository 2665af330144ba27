package org.calm4j.kernels;

import jcuda.driver.JCudaDriver;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.HostBuffer;
import org.calm4j.engine.tensor.Tensor;

/** {@code to = from} between types, and between the device and the host. */
final class Copy {
    private static final int BLOCK = 128;
    /** Elements that are converted at a time on their way between host and device. */
    private static final long PIECE = 1 << 22;

    private final Gpu gpu;
    private final Kernel kernel;

    Copy(Gpu gpu) {
        this.gpu = gpu;
        kernel = gpu.kernel("copy");
    }

    void copy(Tensor to, Tensor from) {
        boolean toHost = to.buffer() instanceof HostBuffer;
        boolean fromHost = from.buffer() instanceof HostBuffer;
        if (!toHost && !fromHost) {
            onDevice(to, from);
        } else if (to.type() == from.type() && fromHost) {
            gpu.transfer().upload(Gpu.pointer(to), from.segment());
        } else if (to.type() == from.type()) {
            gpu.transfer().download(to.segment(), Gpu.pointer(from));
        } else {
            convert(to, from, fromHost);
        }
    }

    /** Through a piece of the device's memory in the type of the host's side. */
    private void convert(Tensor to, Tensor from, boolean fromHost) {
        DType hostType = fromHost ? from.type() : to.type();
        if (hostType == DType.F64) {
            throw new IllegalArgumentException("no copy of " + from + " to " + to + ": the device has no F64");
        }
        for (long first = 0; first < from.size(); first += PIECE) {
            long count = Math.min(PIECE, from.size() - first);
            gpu.scratch().begin(count * hostType.bytes(), 1);
            Tensor piece = gpu.scratch().take(hostType, count);
            Tensor part = from.view(from.size()).rows(first, count);
            Tensor target = to.view(to.size()).rows(first, count);
            if (fromHost) {
                gpu.transfer().upload(Gpu.pointer(piece), part.segment());
                onDevice(target, piece);
            } else {
                onDevice(piece, part);
                gpu.transfer().download(target.segment(), Gpu.pointer(piece));
            }
        }
    }

    /** Both in the device's memory. */
    void onDevice(Tensor to, Tensor from) {
        if (from.size() == 0) {
            return;
        }
        if (to.type() == from.type()) {
            gpu.call(
                    "copying",
                    () -> JCudaDriver.cuMemcpyDtoDAsync(
                            Gpu.pointer(to),
                            Gpu.pointer(from),
                            from.bytes(),
                            gpu.stream().handle()));
            return;
        }
        kernel.launch(Gpu.ceilDiv(from.size(), 4L * BLOCK), BLOCK)
                .withTyped(to)
                .withTyped(from)
                .with(from.size())
                .with(Gpu.wide(4, to, from))
                .run();
    }
}
