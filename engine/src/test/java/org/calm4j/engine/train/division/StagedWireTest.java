package org.calm4j.engine.train.division;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.stream.IntStream;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.scalar.ScalarBackend;
import org.calm4j.engine.ranks.RanksInThreads;
import org.calm4j.engine.tensor.Buffer;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;
import org.junit.jupiter.api.Test;

/** A device's tensors between ranks without links of their own. */
final class StagedWireTest {
    /** In chunks, of which the last ones are short or missing on one side. */
    @Test
    void tensorsPassThroughTheHost() {
        List<List<Double>> got = RanksInThreads.run(2, ranks -> {
            try (Backend backend = new ScalarBackend();
                    StagedWire wire = new StagedWire(ranks.wire(), backend, 64);
                    Buffer buffer = backend.allocate(1024)) {
                Tensor give = new Tensor("give", buffer, 0, DType.F32, ranks.isFirst() ? 35 : 3);
                Tensor take = new Tensor("take", buffer, 256, DType.F32, ranks.isFirst() ? 3 : 35);
                IntStream.range(0, (int) give.size()).forEach(i -> give.set(i, 100 * ranks.rank() + i));
                wire.exchange(give, take, 1 - ranks.rank());
                return IntStream.range(0, (int) take.size()).mapToObj(take::get).toList();
            }
        });
        assertThat(got.getFirst()).containsExactly(100.0, 101.0, 102.0);
        assertThat(got.getLast()).hasSize(35).startsWith(0.0, 1.0, 2.0).endsWith(34.0);
    }
}
