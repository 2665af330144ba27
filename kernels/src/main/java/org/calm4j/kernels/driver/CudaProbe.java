package org.calm4j.kernels.driver;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.ArrayList;
import java.util.List;
import jcuda.CudaException;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdevice_attribute;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;
import org.calm4j.engine.op.Precision;

/**
 * What this machine offers for CUDA, found by asking the driver; nothing is allocated on a device.
 *
 * @param driver version of CUDA that the driver supports, such as "12.6"; null without a driver
 * @param devices in the driver's order
 * @param cublas which cuBLAS was found, and where; null without
 * @param kernels which form of the kernels is loaded
 * @param missing the problems, with their remedies; empty without any
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record CudaProbe(String driver, List<Device> devices, String cublas, String kernels, List<String> missing) {
    /**
     * @param computeCapability such as "9.0"
     * @param memory in bytes
     */
    public record Device(
            String name, @JsonProperty("compute_capability") String computeCapability, long memory) {
        /** The default type of factors in products: BF16 if tensor cores have it, from Ampere on. */
        public Precision precision() {
            return Double.parseDouble(computeCapability) >= OLDEST_WITH_BF16 ? Precision.BF16 : Precision.F32;
        }
    }

    private static final double OLDEST_WITH_BF16 = 8.0;
    private static final double OLDEST = OLDEST_WITH_BF16;
    static final String DRIVER = "libcuda.so.1";
    private static final String NO_DRIVER = "no CUDA driver (" + DRIVER + "); with an NVIDIA GPU, install its driver";

    /** The problems that {@link #run} finds; without a driver it checks nothing else. */
    public static List<String> whatIsMissing() {
        return CublasLibrary.opens(DRIVER) ? run().missing() : List.of(NO_DRIVER);
    }

    public static CudaProbe run() {
        List<String> missing = new ArrayList<>();
        String cublas = CublasLibrary.load();
        String driver = null;
        List<Device> devices = List.of();
        if (CublasLibrary.opens(DRIVER)) {
            try {
                CudaNatives.loadDriver();
                JCudaDriver.cuInit(0);
                driver = version();
                devices = askDevices();
                if (devices.isEmpty()) {
                    missing.add("the CUDA driver sees no device; check nvidia-smi and CUDA_VISIBLE_DEVICES");
                }
            } catch (CudaException e) {
                missing.add("the CUDA driver does not start (" + e.getMessage() + "); check nvidia-smi");
            } catch (LinkageError e) {
                missing.add("JCuda's native library cannot be loaded ("
                        + String.valueOf(e.getMessage()).lines().findFirst().orElse("") + ")");
            }
        } else {
            missing.add(NO_DRIVER);
        }
        for (Device device : devices) {
            if (Double.parseDouble(device.computeCapability()) < OLDEST) {
                missing.add(device.name() + " has compute capability " + device.computeCapability()
                        + "; the kernels need " + OLDEST + " (Ampere) or newer; hide it with CUDA_VISIBLE_DEVICES");
            }
        }
        if (cublas == null && !devices.isEmpty()) {
            missing.add(CublasLibrary.missing());
        }
        return new CudaProbe(driver, devices, cublas, KernelImage.describeForm(), missing);
    }

    /** Whether training and generation can run on a GPU here. */
    public boolean usable() {
        return missing.isEmpty();
    }

    private static String version() {
        int[] version = new int[1];
        JCudaDriver.cuDriverGetVersion(version);
        return version[0] / 1000 + "." + version[0] % 1000 / 10;
    }

    private static List<Device> askDevices() {
        int[] count = new int[1];
        try {
            JCudaDriver.cuDeviceGetCount(count);
        } catch (CudaException e) {
            if (String.valueOf(e.getMessage()).contains(CUresult.stringFor(CUresult.CUDA_ERROR_NO_DEVICE))) {
                return List.of();
            }
            throw e;
        }
        List<Device> devices = new ArrayList<>();
        for (int i = 0; i < count[0]; i++) {
            CUdevice device = new CUdevice();
            JCudaDriver.cuDeviceGet(device, i);
            byte[] name = new byte[256];
            JCudaDriver.cuDeviceGetName(name, name.length, device);
            long[] memory = new long[1];
            JCudaDriver.cuDeviceTotalMem(memory, device);
            devices.add(new Device(
                    CudaContext.text(name),
                    attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, device) + "."
                            + attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, device),
                    memory[0]));
        }
        return devices;
    }

    private static int attribute(int which, CUdevice device) {
        int[] value = new int[1];
        JCudaDriver.cuDeviceGetAttribute(value, which, device);
        return value[0];
    }
}
