package org.calm4j.kernels;

import java.util.Locale;
import jcuda.driver.CUdevice_attribute;
import org.calm4j.engine.op.Precision;
import org.calm4j.kernels.driver.CudaContext;

/**
 * What a GPU could do at its highest clocks, from what its driver says.
 *
 * @param cores FLOPs a second of the ordinary cores in F32
 * @param tensorCores the same of the tensor cores on BF16, sums in F32, without sparsity
 * @param bandwidth of its memory, bytes a second
 */
record GpuPeaks(String name, double cores, double tensorCores, double bandwidth) {
    static GpuPeaks of(int ordinal) {
        try (CudaContext context = new CudaContext(ordinal)) {
            int major = context.attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
            int minor = context.attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
            double clock = 1e3
                    * context.attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_CLOCK_RATE)
                    * context.attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
            // Two transfers a clock.
            double bandwidth = 2e3
                    * context.attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE)
                    * context.attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH)
                    / 8;
            // FLOPs of a multiprocessor in a clock, from NVIDIA's architecture papers.
            int tensor =
                    switch (10 * major + minor) {
                        case 80 -> 2048;
                        case 90 -> 4096;
                        case 100, 103 -> 8192;
                        default -> 512;
                    };
            return new GpuPeaks(
                    context.name().replace(',', ' '),
                    clock * (major == 8 && minor == 0 ? 128 : 256),
                    clock * tensor,
                    bandwidth);
        }
    }

    double flops(Precision precision) {
        return switch (precision) {
            case F32 -> cores;
            case TF32 -> tensorCores / 2;
            case BF16 -> tensorCores;
        };
    }

    @Override
    public String toString() {
        return String.format(
                Locale.ROOT,
                "%s: %.0f TFLOP/s in F32, %.0f on tensor cores in BF16, %.0f GB/s",
                name,
                cores * 1e-12,
                tensorCores * 1e-12,
                bandwidth * 1e-9);
    }
}
