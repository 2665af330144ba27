package org.calm4j.engine.op.simd.vec;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.management.ManagementFactory;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.HostBuffer;
import org.calm4j.engine.tensor.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FrozenWeightsTest {
    @TempDir
    private Path folder;

    @Test
    void aWeightIsPackedTheSecondTime() {
        try (WorkerPool pool = new WorkerPool(1);
                Product product = new Product(pool);
                HostBuffer buffer = new HostBuffer(4 * 33 * 20)) {
            FrozenWeights weights = new FrozenWeights(product);
            Tensor weight = new Tensor("weight", buffer, 0, DType.F32, 33, 20);
            assertThat(weights.forward(weight)).isZero();
            weights.add(weight);
            assertThat(weights.forward(weight)).isZero();
            assertThat(weights.forward(weight)).isNotZero();
        }
    }

    /** As much memory as the machine has is wanted for what lies in a file, so none is taken to save time. */
    @Test
    void aWeightStaysAsItIsWhereMemoryIsNotPlenty() throws IOException {
        long memory =
                ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class).getTotalMemorySize();
        long rows = memory / 4096;
        try (WorkerPool pool = new WorkerPool(1);
                Product product = new Product(pool);
                HostBuffer buffer = new HostBuffer(4 * 33 * 20);
                FileChannel file = FileChannel.open(
                        folder.resolve("sparse"),
                        StandardOpenOption.CREATE,
                        StandardOpenOption.READ,
                        StandardOpenOption.WRITE)) {
            Arena arena = Arena.ofShared();
            try (HostBuffer large = new HostBuffer(file.map(MapMode.READ_WRITE, 0, 4096 * rows, arena), arena)) {
                FrozenWeights weights = new FrozenWeights(product);
                Tensor weight = new Tensor("weight", buffer, 0, DType.F32, 33, 20);
                weights.add(weight);
                weights.add(new Tensor("large", large, 0, DType.F32, rows, 1024));
                for (int i = 0; i < 3; i++) {
                    assertThat(weights.forward(weight)).isZero();
                }
            }
        }
    }
}
