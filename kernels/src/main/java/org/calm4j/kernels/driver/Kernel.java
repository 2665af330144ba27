package org.calm4j.kernels.driver;

import jcuda.driver.CUfunction;
import jcuda.driver.CUfunction_attribute;
import jcuda.driver.JCudaDriver;

/**
 * One kernel. A launch is written as {@code kernel.launch(grid, block).with(out).with(x).with(n).run()}, in the order of its parameters.
 */
public final class Kernel {
    /** Shared memory of a block, including the kernel's static part. */
    private static final int SHARED_WITHOUT_ASKING = 48 << 10;

    private final String name;
    private final CUfunction function;
    private final Launch launch;
    /** Dynamic bytes that a launch may have; negative before it is known. */
    private int sharedBytes = -1;

    Kernel(String name, CUfunction function, Launch launch) {
        this.name = name;
        this.function = function;
        this.launch = launch;
    }

    public Launch launch(long grid, int block) {
        return launch(grid, 1, 1, block, 0);
    }

    public Launch launch(long gridX, long gridY, int block) {
        return launch(gridX, gridY, 1, block, 0);
    }

    /** @param shared bytes of dynamic shared memory of a block */
    public Launch launch(long gridX, long gridY, long gridZ, int block, int shared) {
        if (shared > 0) {
            allow(shared);
        }
        return launch.of(
                name, function, Math.toIntExact(gridX), Math.toIntExact(gridY), Math.toIntExact(gridZ), block, shared);
    }

    private void allow(int shared) {
        if (sharedBytes < 0) {
            int[] declared = new int[1];
            launch.enter();
            JCudaDriver.cuFuncGetAttribute(
                    declared, CUfunction_attribute.CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES, function);
            sharedBytes = SHARED_WITHOUT_ASKING - declared[0];
        }
        if (shared > sharedBytes) {
            launch.enter();
            JCudaDriver.cuFuncSetAttribute(
                    function, CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, shared);
            sharedBytes = shared;
        }
    }
}
