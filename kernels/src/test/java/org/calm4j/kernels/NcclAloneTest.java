package org.calm4j.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.List;
import java.util.stream.IntStream;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.Precision;
import org.calm4j.engine.ranks.DeviceLinks;
import org.calm4j.engine.ranks.RanksInThreads;
import org.calm4j.engine.ranks.Wire;
import org.calm4j.engine.tensor.Buffer;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;
import org.calm4j.kernels.driver.CudaNatives;
import org.calm4j.kernels.driver.CudaProbe;
import org.calm4j.kernels.driver.NcclProbe;
import org.junit.jupiter.api.Test;

/** What NCCL does on a machine with one GPU, and so on a real one too: a rank sends to itself. */
final class NcclAloneTest {
    private static final int ELEMENTS = 1 << 16;

    @Test
    void whatIsSentToOneselfComes() {
        assumeTrue(CudaProbe.run().usable() && NcclProbe.run().version() != null, "a GPU, and NCCL");
        CudaNatives.loadCublas();
        double[] sent = IntStream.range(0, ELEMENTS).asDoubleStream().toArray();
        List<double[]> came = RanksInThreads.run(1, 60, ranks -> {
            double[] read = new double[ELEMENTS];
            try (Backend backend = new CudaBackend(0, Precision.F32);
                    Buffer memory = backend.allocate(2L * Float.BYTES * ELEMENTS)) {
                Tensor give = new Tensor("give", memory, 0, DType.F32, ELEMENTS);
                Tensor take = new Tensor("take", memory, (long) Float.BYTES * ELEMENTS, DType.F32, ELEMENTS);
                Wire wire = ((DeviceLinks) backend).link(ranks).wire();
                backend.write(give, sent, ELEMENTS);
                wire.exchange(give, take, 0);
                wire.finish();
                backend.read(read, take, ELEMENTS);
            }
            return read;
        });
        assertThat(came.getFirst()).isEqualTo(sent);
    }
}
