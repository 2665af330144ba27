package org.calm4j.kernels;

import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.HostBuffer;
import org.calm4j.engine.tensor.Tensor;
import org.calm4j.kernels.driver.CudaBuffer;
import org.calm4j.kernels.driver.Gpu;
import org.calm4j.kernels.driver.Kernel;

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
        if (toHost && fromHost) {
            for (long i = 0; i < from.size(); i++) {
                to.set(i, from.get(i));
            }
        } else if (!toHost && !fromHost) {
            onDevice(to, from);
        } else if (to.type() == from.type() && fromHost) {
            gpu.transfer().upload(CudaBuffer.pointer(to), from.segment());
        } else if (to.type() == from.type()) {
            gpu.transfer().download(to.segment(), CudaBuffer.pointer(from));
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
                gpu.transfer().upload(CudaBuffer.pointer(piece), part.segment());
                onDevice(target, piece);
            } else {
                onDevice(piece, part);
                gpu.transfer().download(target.segment(), CudaBuffer.pointer(piece));
            }
        }
    }

    /** Both in the device's memory. */
    void onDevice(Tensor to, Tensor from) {
        if (from.size() == 0) {
            return;
        }
        if (to.type() == from.type()) {
            gpu.memory().copy(to, from);
            return;
        }
        kernel.launch(Math.ceilDiv(from.size(), 4L * BLOCK), BLOCK)
                .withTyped(to)
                .withTyped(from)
                .with(from.size())
                .with(CudaBuffer.wide(4, to, from))
                .run();
    }
}
