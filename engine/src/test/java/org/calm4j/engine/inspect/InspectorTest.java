package org.calm4j.engine.inspect;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.List;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.calm4j.engine.CalmException;
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

final class InspectorTest {
    private static final int[] TEXT = {3, 1, 4, 1, 5, 9, 2, 6};
    private static final int[] OTHER = {2, 7, 1, 8, 2, 8, 1, 8};
    private static final int START = 3;
    private static final double STEP = 1e-5;

    static List<String> kinds() {
        return TinyModel.KINDS;
    }

    private static double completion(Trace trace) {
        return Arrays.stream(trace.logProbs()).skip(START - 1).sum();
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void gradientsAreFiniteDifferences(String kind) {
        try (Backend backend = new ScalarBackend(DType.F64);
                Inspector inspector = new Inspector(TinyModel.random(backend, kind), 16)) {
            var config = TinyModel.config(kind);
            Selection all = Selection.of(config, "*").withGradients();
            // In force all the while: what is changed on the way has gradients, too.
            Inspector.Handle halved = inspector.edit("blocks.0.attn.hook_z", Edit.scale(0.5, Where.head(1)));
            Inspector.Handle silenced = inspector.edit("blocks.1.mlp.hook_post", Edit.zero(Where.column(2, 5)));
            Inspector.Handle amplified = inspector.edit("blocks.1.hook_mlp_out", Edit.scale(-2, Where.row(3, 4)));
            try (Trace trace = inspector.run(TEXT, START, all)) {
                for (HookPoint.At at : all.points()) {
                    if (at.point().isChangeable()) {
                        double[] gradient = trace.values(at.name() + "_grad");
                        int element = gradient.length * 5 / 7;
                        double difference = (shifted(inspector, at, element, gradient.length, STEP)
                                        - shifted(inspector, at, element, gradient.length, -STEP))
                                / (2 * STEP);
                        assertThat(gradient[element]).as(at.name()).isCloseTo(difference, within(2e-8));
                    }
                }
            }
            List.of(halved, silenced, amplified).forEach(Inspector.Handle::close);
        }
    }

    private static double shifted(Inspector inspector, HookPoint.At at, int element, int size, double by) {
        double[] offset = new double[size];
        offset[element] = by;
        try (Inspector.Handle _ = inspector.edit(at.name(), Edit.add(offset, Where.EVERYWHERE));
                Trace trace = inspector.run(TEXT, Selection.of(inspector.config(), "logits"))) {
            return completion(trace);
        }
    }

    static Stream<Supplier<Backend>> backends() {
        return Stream.of(ScalarBackend::new, () -> new SimdBackend(2));
    }

    /** Edits of every point that leave each value as it is. */
    private record Changes(List<Inspector.Handle> handles) implements AutoCloseable {
        Changes(Inspector inspector) {
            this(HookPoint.all(inspector.config()).stream()
                    .filter(at -> at.point().isChangeable())
                    .map(at -> inspector.edit(at.name(), Edit.scale(1, Where.EVERYWHERE)))
                    .toList());
        }

        @Override
        public void close() {
            handles.forEach(Inspector.Handle::close);
        }
    }

    @ParameterizedTest
    @MethodSource("backends")
    void lookingChangesNoBit(Supplier<Backend> open) {
        for (String kind : TinyModel.KINDS) {
            try (Backend backend = open.get();
                    Inspector inspector = new Inspector(TinyModel.random(backend, kind), 16);
                    Trace plain = inspector.run(TEXT, START, new Selection(List.of(), null, true, 0));
                    Trace seen = inspector.run(
                            TEXT, START, Selection.of(inspector.config(), "*").withGradients());
                    Changes _ = new Changes(inspector);
                    Trace changed = inspector.run(
                            TEXT, START, Selection.of(inspector.config(), "*").withGradients())) {
                assertThat(seen.logProbs()).as(kind).isEqualTo(plain.logProbs());
                assertThat(changed.logProbs()).as(kind).isEqualTo(plain.logProbs());
                for (String name : seen.tensors().keySet()) {
                    assertThat(changed.values(name)).as(kind + " " + name).isEqualTo(seen.values(name));
                }
            }
        }
    }

    @ParameterizedTest
    @MethodSource("backends")
    void theWholeStreamOfAnotherTextGivesItsLogits(Supplier<Backend> open) {
        for (String kind : TinyModel.KINDS) {
            try (Backend backend = open.get();
                    Inspector inspector = new Inspector(TinyModel.random(backend, kind), 16)) {
                Selection wanted = Selection.of(inspector.config(), "logits", "*.hook_resid_post", "*.hook_z");
                try (Trace source = inspector.run(OTHER, wanted)) {
                    for (String at : List.of("blocks.0.hook_resid_post", "blocks.1.hook_resid_post")) {
                        try (Inspector.Handle _ =
                                        inspector.edit(at, Edit.replace(source.values(at), Where.EVERYWHERE));
                                Trace target = inspector.run(TEXT, wanted)) {
                            assertThat(target.values("logits")).isEqualTo(source.values("logits"));
                        }
                    }
                }
            }
        }
    }

    @Test
    void patternsMixTheValues() {
        for (String kind : TinyModel.KINDS) {
            try (Backend backend = new ScalarBackend(DType.F64);
                    Inspector inspector = new Inspector(TinyModel.random(backend, kind), 16);
                    Trace trace = inspector.run(
                            TEXT, Selection.of(inspector.config(), "*.hook_pattern", "*.hook_v", "*.hook_z"))) {
                var attention = inspector.config().attention();
                int heads = attention.heads();
                int groups = attention.keyValueHeads();
                int d = attention.headDim();
                int t = TEXT.length;
                double[] pattern = trace.values("blocks.1.attn.hook_pattern");
                double[] v = trace.values("blocks.1.attn.hook_v");
                double[] z = trace.values("blocks.1.attn.hook_z");
                for (int h = 0; h < heads; h++) {
                    for (int i = 0; i < t; i++) {
                        int row = (h * t + i) * t;
                        assertThat(IntStream.range(0, t)
                                        .mapToDouble(j -> pattern[row + j])
                                        .sum())
                                .isCloseTo(1, within(1e-12));
                        assertThat(IntStream.range(i + 1, t)
                                        .mapToDouble(j -> pattern[row + j])
                                        .sum())
                                .isZero();
                        int group = h / (heads / groups);
                        for (int e = 0; e < d; e++) {
                            int column = e;
                            double mixed = IntStream.range(0, t)
                                    .mapToDouble(j -> pattern[row + j] * v[(j * groups + group) * d + column])
                                    .sum();
                            assertThat(z[(i * heads + h) * d + e]).isCloseTo(mixed, within(1e-12));
                        }
                    }
                }
            }
        }
    }

    @Test
    void selectedPositionsAreThoseOfTheWhole() {
        try (Backend backend = new SimdBackend(1);
                Inspector inspector = new Inspector(TinyModel.random(backend, "qwen3"), 16)) {
            Selection names = Selection.of(inspector.config(), "blocks.1.attn.*", "logits")
                    .layers(layer -> layer == 1);
            try (Trace whole = inspector.run(TEXT, names);
                    Trace some = inspector.run(TEXT, names.positions(2, 7))) {
                int t = TEXT.length;
                double[] z = whole.values("blocks.1.attn.hook_z");
                int width = z.length / t;
                assertThat(Arrays.copyOf(some.values("blocks.1.attn.hook_z"), width))
                        .isEqualTo(Arrays.copyOfRange(z, 2 * width, 3 * width));
                double[] pattern = whole.values("blocks.1.attn.hook_pattern");
                assertThat(some.value("blocks.1.attn.hook_pattern").shape())
                        .containsExactly(inspector.config().attention().heads(), 2, t);
                assertThat(Arrays.copyOfRange(some.values("blocks.1.attn.hook_pattern"), 3 * t, 4 * t))
                        .isEqualTo(Arrays.copyOfRange(pattern, (t + 7) * t, (t + 8) * t));
            }
        }
    }

    @Test
    void handlesTakeAwayThemselves() {
        try (Backend backend = new SimdBackend(1);
                Inspector inspector = new Inspector(TinyModel.random(backend, true), 16)) {
            Selection logits = Selection.of(inspector.config(), "logits");
            double[] plain = logits(inspector, logits);
            Inspector.Handle first = inspector.edit("blocks.0.hook_mlp_out", Edit.zero(Where.EVERYWHERE));
            double[] without = logits(inspector, logits);
            Inspector.Handle second = inspector.edit("blocks.0.hook_mlp_out", Edit.zero(Where.EVERYWHERE));
            first.close();
            first.close();
            assertThat(logits(inspector, logits)).isEqualTo(without).isNotEqualTo(plain);
            second.close();
            assertThat(logits(inspector, logits)).isEqualTo(plain);
        }
    }

    private static double[] logits(Inspector inspector, Selection selection) {
        try (Trace trace = inspector.run(TEXT, selection)) {
            return trace.values("logits");
        }
    }

    @Test
    void refusalsSayWhatWouldDo() {
        try (Backend backend = new SimdBackend(1)) {
            CausalLm model = TinyModel.random(backend, true);
            try (Inspector inspector = new Inspector(model, 16)) {
                assertThatThrownBy(() -> Selection.of(model.config(), "blocks.0.hook_resid_past"))
                        .isInstanceOf(CalmException.class)
                        .hasMessageContaining("blocks.0.hook_resid_post");
                assertThatThrownBy(() -> inspector.edit("logits", Edit.zero(Where.EVERYWHERE)))
                        .hasMessageContaining("can be read and not changed");
                assertThatThrownBy(() -> inspector.run(
                                TEXT, Selection.of(model.config(), "*").within(9000)))
                        .hasMessageContaining("would fit");
                assertThatThrownBy(() -> inspector.run(new int[17], Selection.of(model.config(), "logits")))
                        .hasMessageContaining("17 tokens");
            }
        }
    }
}
