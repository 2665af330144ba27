package org.calm4j.kernels.driver;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.UUID;
import jcuda.CudaException;
import jcuda.driver.CUresult;

/** The name of a device among those of all machines. JCuda has the older function for it, which calls all parts of a GPU (MIG) the same. */
@SuppressWarnings("restricted")
final class DeviceUuid {
    private static final ValueLayout.OfLong HALF = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);

    private DeviceUuid() {}

    /** @param ordinal of a device that exists */
    static String of(int ordinal) {
        try (Arena arena = Arena.ofConfined()) {
            SymbolLookup driver = SymbolLookup.libraryLookup(CudaProbe.DRIVER, arena);
            MemorySegment device = arena.allocate(ValueLayout.JAVA_INT);
            call(driver, "cuDeviceGet", device, ordinal);
            MemorySegment uuid = arena.allocate(2 * HALF.byteSize());
            call(driver, "cuDeviceGetUuid_v2", uuid, device.get(ValueLayout.JAVA_INT, 0));
            return "GPU-" + new UUID(uuid.get(HALF, 0), uuid.get(HALF, HALF.byteSize()));
        }
    }

    private static void call(SymbolLookup driver, String name, MemorySegment to, int argument) {
        int result;
        try {
            var function = Linker.nativeLinker()
                    .downcallHandle(
                            driver.findOrThrow(name),
                            FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.JAVA_INT));
            result = (int) function.invokeExact(to, argument);
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
        if (result != CUresult.CUDA_SUCCESS) {
            throw new CudaException(CUresult.stringFor(result));
        }
    }
}
