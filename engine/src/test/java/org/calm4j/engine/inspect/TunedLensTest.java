package org.calm4j.engine.inspect;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.TinyModel;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.scalar.ScalarBackend;
import org.calm4j.engine.op.simd.SimdBackend;
import org.calm4j.engine.random.CounterRandom;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class TunedLensTest {
    private static final List<int[]> TEXTS =
            List.of(new int[] {3, 1, 4, 1, 5, 9, 2, 6}, new int[] {2, 7, 1}, new int[] {8, 2, 8, 1, 8});
    private static final double STEP = 1e-5;

    @TempDir
    private Path folder;

    private static void randomize(Backend backend, TunedLens lens) {
        for (Tensor tensor : lens.tensors()) {
            double[] values = new double[(int) tensor.size()];
            Arrays.setAll(values, i -> 0.1 * CounterRandom.normal(CounterRandom.seed(4, tensor.name()), i));
            backend.write(tensor, values, values.length);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"qwen3", "gpt2", "llama untied"})
    void itBeginsAsTheLogitLensToTheBit(String kind) {
        try (Backend backend = new SimdBackend(2)) {
            CausalLm model = TinyModel.random(backend, kind);
            try (Inspector inspector = new Inspector(model, 8);
                    TunedLens lens = new TunedLens(backend, model.config());
                    Streams streams = Streams.of(inspector, TEXTS.getFirst());
                    Trace trace = inspector.run(TEXTS.getFirst(), Selection.of(model.config(), "logits"))) {
                for (int layer = 0; layer < streams.count(); layer++) {
                    assertThat(inspector.unembed(streams.get(layer), lens, layer))
                            .isEqualTo(inspector.unembed(streams.get(layer)));
                }
                randomize(backend, lens);
                int last = model.config().layers();
                assertThat(inspector.unembed(streams.get(last), lens, last))
                        .containsExactly(trace.values("logits"), within(1e-5));
                assertThat(inspector.unembed(streams.get(0), lens, 0)).isNotEqualTo(inspector.unembed(streams.get(0)));
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"qwen3", "gpt2"})
    void theGradientIsFiniteDifferences(String kind) {
        try (Backend backend = new ScalarBackend(DType.F64)) {
            CausalLm model = TinyModel.random(backend, kind);
            try (Inspector inspector = new Inspector(model, 8);
                    TunedLens lens = new TunedLens(backend, model.config());
                    TunedLensTraining training = new TunedLensTraining(inspector, lens, 8)) {
                randomize(backend, lens);
                training.pass(TEXTS, true);
                for (Tensor weight : lens.tensors()) {
                    int layer = weight.name().charAt(0) - '0';
                    for (long element : new long[] {0, weight.size() * 5 / 7}) {
                        double was = weight.get(element);
                        weight.set(element, was + STEP);
                        double more = training.divergences(TEXTS)[layer];
                        weight.set(element, was - STEP);
                        double less = training.divergences(TEXTS)[layer];
                        weight.set(element, was);
                        assertThat(training.gradient().get(weight.name()).get(element))
                                .as(weight.name())
                                .isCloseTo((more - less) / (2 * STEP), within(1e-9));
                    }
                }
            }
        }
    }

    /** By the sum over words of the two lenses' own logits. */
    @Test
    void theDivergenceIsThatOfTheDistributions() {
        try (Backend backend = new ScalarBackend(DType.F64)) {
            CausalLm model = TinyModel.random(backend, "qwen3");
            int words = model.config().vocabulary().size();
            try (Inspector inspector = new Inspector(model, 8);
                    TunedLens lens = new TunedLens(backend, model.config());
                    TunedLensTraining training = new TunedLensTraining(inspector, lens, 8)) {
                randomize(backend, lens);
                double[] sums = new double[3];
                int positions = 0;
                for (int[] text : TEXTS) {
                    try (Streams streams = Streams.of(inspector, text)) {
                        double[] said = inspector.unembed(streams.get(2));
                        for (int layer = 0; layer < 3; layer++) {
                            double[] read = inspector.unembed(streams.get(layer), lens, layer);
                            for (int row = 0; row < text.length; row++) {
                                double zp = 0;
                                double zq = 0;
                                for (int i = row * words; i < (row + 1) * words; i++) {
                                    zp += Math.exp(said[i]);
                                    zq += Math.exp(read[i]);
                                }
                                for (int i = row * words; i < (row + 1) * words; i++) {
                                    double p = Math.exp(said[i]) / zp;
                                    sums[layer] += p * Math.log(p * zq / Math.exp(read[i]));
                                }
                            }
                        }
                    }
                    positions += text.length;
                }
                double[] found = training.divergences(TEXTS);
                assertThat(found).hasSize(3);
                for (int layer = 0; layer < 3; layer++) {
                    assertThat(found[layer]).isCloseTo(sums[layer] / positions, within(1e-12));
                }
                assertThat(found[2]).isZero();
                assertThat(found[0]).isPositive();
            }
        }
    }

    @Test
    void theDivergenceFallsAtEveryLayerAndTheBitsDoNotDependOnThreads() throws IOException {
        for (int threads : new int[] {1, 3}) {
            try (Backend backend = new SimdBackend(threads)) {
                CausalLm model = TinyModel.random(backend, "qwen3");
                try (Inspector inspector = new Inspector(model, 8);
                        TunedLens lens = new TunedLens(backend, model.config());
                        TunedLensTraining training = new TunedLensTraining(inspector, lens, 8)) {
                    double[] before = training.divergences(TEXTS);
                    for (int step = 1; step <= 60; step++) {
                        training.step(TEXTS, 1e-2, step);
                    }
                    double[] after = training.divergences(TEXTS);
                    for (int layer = 0; layer < model.config().layers(); layer++) {
                        assertThat(after[layer]).isLessThan(0.5 * before[layer]);
                    }
                    lens.write(folder.resolve("lens-" + threads), Map.of());
                    try (TunedLens read = TunedLens.read(folder.resolve("lens-" + threads), backend, model.config());
                            TunedLensTraining again = new TunedLensTraining(inspector, read, 8)) {
                        assertThat(again.divergences(TEXTS)).isEqualTo(after);
                    }
                }
            }
        }
        assertThat(folder.resolve("lens-3/params.safetensors"))
                .hasSameBinaryContentAs(folder.resolve("lens-1/params.safetensors"));
    }

    @Test
    void aLensOfAnotherModelIsRefused() throws IOException {
        try (Backend backend = new SimdBackend(1)) {
            var config = TinyModel.config("qwen3");
            try (TunedLens lens = new TunedLens(backend, config)) {
                lens.write(folder.resolve("lens"), Map.of());
                Path file = folder.resolve("lens/config.json");
                String written = Files.readString(file);
                Files.writeString(file, written.replace("\"d_model\" : 12", "\"d_model\" : 16"));
                assertThatThrownBy(() -> TunedLens.read(folder.resolve("lens"), backend, config))
                        .hasMessageContaining("2 layers of width 16; this one has 2 of width 12");
                Files.writeString(file, written.replace("linear_tuned_lens", "other"));
                assertThatThrownBy(() -> TunedLens.read(folder.resolve("lens"), backend, config))
                        .hasMessageContaining("lens_type is other");
                Files.writeString(file, written);
                double[] broken = {Double.NaN};
                backend.write(lens.tensors().getFirst(), broken, 1);
                lens.write(folder.resolve("broken"), Map.of());
                assertThatThrownBy(() -> TunedLens.read(folder.resolve("broken"), backend, config))
                        .hasMessageContaining("tensor 0.weight is not finite");
            }
        }
    }
}
