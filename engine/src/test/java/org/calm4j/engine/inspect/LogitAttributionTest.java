package org.calm4j.engine.inspect;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import org.calm4j.engine.inspect.Edit.Where;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.TinyModel;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.scalar.ScalarBackend;
import org.calm4j.engine.tensor.DType;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

final class LogitAttributionTest {
    private static final int[] TEXT = {3, 1, 4, 1, 5, 9, 2, 6};

    static List<String> kinds() {
        return TinyModel.KINDS;
    }

    private static void sumsToTheDifference(CausalLm model) {
        try (Inspector inspector = new Inspector(model, 8)) {
            LogitAttribution found = LogitAttribution.of(inspector, TEXT, 7, 11);
            assertThat(Math.abs(found.difference())).isGreaterThan(1e-3);
            assertThat(found.sum()).isCloseTo(found.difference(), within(1e-11));
        }
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void theTermsSumToTheDifference(String kind) {
        try (Backend backend = new ScalarBackend(DType.F64)) {
            sumsToTheDifference(TinyModel.random(backend, kind));
            sumsToTheDifference(TinyModel.withLora(backend, kind, 0));
        }
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void aSilentHeadAddsNothing(String kind) {
        try (Backend backend = new ScalarBackend(DType.F64);
                Inspector inspector = new Inspector(TinyModel.random(backend, kind), 8);
                Inspector.Handle _ = inspector.edit("blocks.1.attn.hook_z", Edit.zero(Where.head(2)));
                Inspector.Handle _ = inspector.edit("blocks.0.hook_mlp_out", Edit.zero(Where.EVERYWHERE))) {
            LogitAttribution found = LogitAttribution.of(inspector, TEXT, 7, 11);
            for (int layer = 0; layer < 2; layer++) {
                for (int head = 0; head < found.heads()[layer].length; head++) {
                    assertThat(found.heads()[layer][head] == 0).isEqualTo(layer == 1 && head == 2);
                }
            }
            assertThat(found.feedForward()[0]).isZero();
            assertThat(found.feedForward()[1]).isNotZero();
            assertThat(found.sum()).isCloseTo(found.difference(), within(1e-11));
        }
    }
}
