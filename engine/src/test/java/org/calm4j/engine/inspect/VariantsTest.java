package org.calm4j.engine.inspect;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.inspect.Edit.Where;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.HookPoint;
import org.calm4j.engine.model.TinyModel;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.scalar.ScalarBackend;
import org.calm4j.engine.op.simd.SimdBackend;
import org.calm4j.engine.tensor.DType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Against the {@link Inspector}, which runs the whole text for each edit. */
final class VariantsTest {
    private static final int[] TEXT = {3, 1, 4, 1, 5, 9, 2, 6};
    private static final int[] OTHER = {2, 7, 1, 8, 2, 8, 1, 8};

    static List<String> kinds() {
        return TinyModel.KINDS;
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void anEditDoesWhatItDoesAlone(String kind) {
        try (Backend backend = new ScalarBackend(DType.F64)) {
            compare(TinyModel.random(backend, kind), 1e-12);
        }
        try (Backend backend = new SimdBackend(2)) {
            compare(TinyModel.random(backend, kind), 1e-5);
        }
    }

    @Test
    void withAnAdapterToo() {
        try (Backend backend = new ScalarBackend(DType.F64)) {
            compare(TinyModel.withLora(backend, 0.5), 1e-12);
        }
    }

    private static void compare(CausalLm model, double tolerance) {
        ModelConfig config = model.config();
        try (Inspector inspector = new Inspector(model, 8);
                Variants variants = new Variants(model, 8);
                Trace other = inspector.run(OTHER, Selection.of(config, "*"));
                Trace own = inspector.run(TEXT, Selection.of(config, "*"))) {
            for (HookPoint.At at : HookPoint.all(config)) {
                if (!at.point().isOfLayer() || !at.point().isChangeable()) {
                    continue;
                }
                List<Edit> edits = new ArrayList<>();
                for (int row = 0; row < TEXT.length; row++) {
                    edits.add(Edit.replace(other.values(at.name()), Where.row(row)));
                }
                edits.add(Edit.scale(1, Where.EVERYWHERE));
                List<double[]> found = variants.logits(TEXT, at, own.value(Variants.stream(at, config)), edits);
                assertThat(found).hasSize(edits.size());
                double[] plain = last(own, config);
                assertThat(found.getLast()).as(at.name()).containsExactly(plain, within(tolerance));
                for (int row = 0; row < TEXT.length; row++) {
                    try (Inspector.Handle _ = inspector.edit(at.name(), edits.get(row));
                            Trace alone = inspector.run(TEXT, Selection.of(config, "logits"))) {
                        assertThat(found.get(row))
                                .as(at.name() + " " + row)
                                .containsExactly(last(alone, config), within(tolerance));
                    }
                }
                if (at.point() == HookPoint.RESID_PRE) {
                    assertThat(found.get(TEXT.length - 1)).isNotEqualTo(plain);
                }
            }
        }
    }

    private static double[] last(Trace trace, ModelConfig config) {
        double[] logits = trace.values("logits");
        return Arrays.copyOfRange(logits, logits.length - config.vocabulary().size(), logits.length);
    }

    @Test
    void moreThanAPassTakesAreTheSame() {
        try (Backend backend = new SimdBackend(1)) {
            CausalLm model = TinyModel.random(backend, "qwen3");
            HookPoint.At at = new HookPoint.At(HookPoint.MLP_OUT, 0);
            try (Inspector inspector = new Inspector(model, 8);
                    Variants variants = new Variants(model, 8);
                    Trace own = inspector.run(TEXT, Selection.of(model.config(), "*"))) {
                List<Edit> edits = new ArrayList<>();
                for (int i = 0; i < 300; i++) {
                    edits.add(Edit.scale(i % 7, Where.row(i % 8)));
                }
                List<double[]> all = variants.logits(TEXT, at, own.value("blocks.0.hook_resid_pre"), edits);
                assertThat(all).hasSize(300);
                for (int i = 56; i < 300; i++) {
                    assertThat(all.get(i)).containsExactly(all.get(i % 56), within(1e-6));
                }
                assertThat(all.get(1)).isNotEqualTo(all.get(2));
            }
        }
    }

    @Test
    void whatIsNoValueOfALayerIsRefused() {
        try (Backend backend = new SimdBackend(1);
                Variants variants = new Variants(TinyModel.random(backend, "qwen3"), 8)) {
            HookPoint.At pattern = new HookPoint.At(HookPoint.PATTERN, 0);
            assertThatThrownBy(() -> variants.logits(TEXT, pattern, null, List.of()))
                    .hasMessageContaining("hook_pattern is no value");
        }
    }
}
