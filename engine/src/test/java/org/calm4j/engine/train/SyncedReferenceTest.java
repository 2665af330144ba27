package org.calm4j.engine.train;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.stream.LongStream;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.TinyModel;
import org.calm4j.engine.op.scalar.ScalarBackend;
import org.calm4j.engine.tensor.Slab;
import org.junit.jupiter.api.Test;

/** Steps with such a reference are in {@link ModelOracleTest#pairLosses}, and with a checkpoint between them in {@link EveryLossTest}. */
final class SyncedReferenceTest {
    @Test
    void mixesAtItsStepsAlone() {
        CausalLm start = TinyModel.random(new ScalarBackend(), true);
        try (SyncedReference reference = new SyncedReference(start, 0.25, 3)) {
            Slab trained = start.parameters().slab();
            List<Double> before = values(reference.slab());
            assertThat(before).isEqualTo(values(trained));
            trained.tensors().forEach(tensor -> tensor.set(0, tensor.get(0) + 4));
            reference.after(2, trained);
            assertThat(values(reference.slab())).isEqualTo(before);
            reference.after(3, trained);
            List<Double> policy = values(trained);
            List<Double> after = values(reference.slab());
            for (int i = 0; i < before.size(); i++) {
                float mixed = (float) (0.25 * policy.get(i) + 0.75 * before.get(i));
                assertThat(after.get(i)).isEqualTo(mixed);
            }
        }
    }

    private static List<Double> values(Slab slab) {
        return slab.tensors().stream()
                .flatMap(tensor -> LongStream.range(0, tensor.size()).mapToObj(tensor::get))
                .toList();
    }
}
