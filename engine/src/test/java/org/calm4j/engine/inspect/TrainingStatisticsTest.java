package org.calm4j.engine.inspect;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;
import org.calm4j.engine.model.Activations;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.Gradients;
import org.calm4j.engine.model.HookPoint;
import org.calm4j.engine.model.PackedBatch;
import org.calm4j.engine.model.Tap;
import org.calm4j.engine.model.TinyModel;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.scalar.ScalarBackend;
import org.calm4j.engine.op.simd.SimdBackend;
import org.calm4j.engine.random.CounterRandom;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is measured during training, against the same by another way. */
final class TrainingStatisticsTest {
    private static final int[] TEXT = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3};

    /** Figures of one text from what an inspector keeps of it. */
    @ParameterizedTest
    @ValueSource(strings = {"llama", "mistral by layers", "qwen3", "gpt2 by layer"})
    void figuresOfLayersAreThoseOfKeptValues(String kind) {
        try (Backend backend = new ScalarBackend(DType.F64)) {
            CausalLm model = TinyModel.random(backend, kind);
            ActivationStatistics statistics =
                    new ActivationStatistics(model, EnumSet.allOf(ActivationStatistics.Kind.class), TEXT.length);
            PackedBatch batch = new PackedBatch();
            batch.prompt(TEXT);
            batch.score(0, 1);
            forward(model, statistics, batch);
            try (Inspector inspector = new Inspector(model, TEXT.length);
                    Trace trace = inspector.run(
                            TEXT, Selection.of(model.config(), "*.hook_resid_post", "*.hook_pre", "*.hook_pattern"))) {
                for (int layer = 0; layer < model.config().layers(); layer++) {
                    assertThat(statistics.figures(ActivationStatistics.Kind.NORM)[layer])
                            .isCloseTo(norm(trace.values(HookPoint.RESID_POST.name(layer))), within(1e-12));
                    assertThat(statistics.figures(ActivationStatistics.Kind.DEAD_UNITS)[layer])
                            .isCloseTo(dead(trace.values(HookPoint.MLP_PRE.name(layer))), within(1e-12))
                            .isLessThan(1);
                    assertThat(statistics.figures(ActivationStatistics.Kind.ATTENTION_ENTROPY)[layer])
                            .isCloseTo(entropy(trace.values(HookPoint.PATTERN.name(layer))), within(1e-12))
                            .isPositive();
                }
            }
        }
    }

    private static void forward(CausalLm model, ActivationStatistics statistics, PackedBatch batch) {
        try (Activations activations = new Activations(
                model.backend(),
                model.config(),
                Activations.Purpose.INFERENCE,
                new Activations.Capacity(batch.rows(), batch.scored(), batch.rows(), 0, 0))) {
            model.tapped(statistics.of(batch)).forward(activations, batch, null);
        }
    }

    private static double norm(double[] rows) {
        int columns = rows.length / TEXT.length;
        return IntStream.range(0, TEXT.length)
                .mapToDouble(row -> Math.sqrt(Arrays.stream(rows, row * columns, (row + 1) * columns)
                        .map(x -> x * x)
                        .sum()))
                .average()
                .orElseThrow();
    }

    private static double dead(double[] rows) {
        int columns = rows.length / TEXT.length;
        return IntStream.range(0, columns)
                        .filter(i -> IntStream.range(0, TEXT.length).noneMatch(row -> rows[row * columns + i] > 0))
                        .count()
                / (double) columns;
    }

    private static double entropy(double[] pattern) {
        return DoubleStream.of(pattern).map(p -> p > 0 ? -p * Math.log(p) : 0).sum() / (pattern.length / TEXT.length);
    }

    /** A shared prompt is seen by both continuations, and rows past the limit are not looked at. */
    @Test
    void rowsOfContinuationsSeeTheirPrompt() {
        try (Backend backend = new ScalarBackend(DType.F64)) {
            CausalLm model = TinyModel.random(backend, "mistral by layers");
            List<double[]> entropies = new ArrayList<>();
            for (boolean shared : new boolean[] {true, false}) {
                PackedBatch batch = new PackedBatch();
                int[] prompt = {6, 5, 3};
                if (shared) {
                    batch.continuation(batch.prompt(prompt), new int[] {5, 8, 9, 7});
                } else {
                    batch.add(new int[] {6, 5, 3, 5, 8, 9, 7}, 3);
                }
                batch.add(new int[] {11, 12, 13}, 1);
                ActivationStatistics statistics =
                        new ActivationStatistics(model, EnumSet.of(ActivationStatistics.Kind.ATTENTION_ENTROPY), 6);
                forward(model, statistics, batch);
                entropies.add(statistics.figures(ActivationStatistics.Kind.ATTENTION_ENTROPY));
            }
            assertThat(entropies.get(0)).containsExactly(entropies.get(1), within(1e-14));
        }
    }

    @Test
    void productsAreThoseOfTheNumbers() {
        try (Backend backend = new SimdBackend(1)) {
            CausalLm model = TinyModel.withLora(backend, 0);
            try (GradientProducts gradients = new GradientProducts(model)) {
                List<double[]> all = new ArrayList<>();
                for (int number = 0; number < 3; number++) {
                    all.add(fill(backend, gradients.get(number), number));
                }
                double[][] products = gradients.products(3);
                for (int a = 0; a < 3; a++) {
                    for (int b = 0; b < 3; b++) {
                        double[] x = all.get(a);
                        double[] y = all.get(b);
                        double dot = IntStream.range(0, x.length)
                                .mapToDouble(i -> x[i] * y[i])
                                .sum();
                        assertThat(products[a][b]).isCloseTo(dot, within(1e-6 * x.length));
                    }
                }
            }
        }
    }

    private static double[] fill(Backend backend, Gradients gradients, int key) {
        List<double[]> parts = new ArrayList<>();
        for (Tensor tensor : gradients.slab().tensors()) {
            double[] values = new double[(int) tensor.size()];
            Arrays.setAll(values, i -> (float) CounterRandom.normal(CounterRandom.seed(key, tensor.name()), i) + 0.3f);
            backend.write(tensor, values, values.length);
            parts.add(values);
        }
        return parts.stream().flatMapToDouble(Arrays::stream).toArray();
    }

    /** Over all batches of lines whose gradients are known, the estimates are right on average. */
    @Test
    void noiseIsEstimatedWithoutBias() {
        double[] lines = {1.5, -0.5, 2, 4, -1, 0.25};
        double mean = DoubleStream.of(lines).average().orElseThrow();
        double variance = DoubleStream.of(lines)
                .map(x -> (x - mean) * (x - mean))
                .average()
                .orElseThrow();
        double square = 0;
        double noise = 0;
        int n = lines.length;
        for (int draw = 0; draw < n * n * n; draw++) {
            double[] drawn = {lines[draw % n], lines[draw / n % n], lines[draw / n / n]};
            double small = Math.pow(drawn[0], 2);
            double large = Math.pow((drawn[0] + drawn[1] + drawn[2]) / 3, 2);
            square += GradientNoise.square(1, 3, small, large) / (n * n * n);
            noise += GradientNoise.variance(1, 3, small, large) / (n * n * n);
        }
        assertThat(square).isCloseTo(mean * mean, within(1e-12));
        assertThat(noise).isCloseTo(variance, within(1e-12));
        GradientNoise scale = new GradientNoise(0.9);
        assertThat(scale.scale()).isNull();
        scale.add(1, 3, 8, 4);
        scale.add(1, 3, 8, 4);
        assertThat(scale.scale()).isCloseTo(6.0 / 2, within(1e-12));
    }

    @Test
    void scoresAreFromTheMeanAndDeviationBefore() {
        RunningScore score = new RunningScore(1e-9, 4);
        double[] values = {1, 3, 2, 5, 4, 9};
        double[] scores = DoubleStream.of(values).map(score::next).toArray();
        assertThat(scores).startsWith(0, 0, 0, 0);
        // Mean and deviation of 1 3 2 5, then with 4.
        assertThat(scores[4]).isCloseTo((4 - 2.75) / Math.sqrt(2.1875), within(1e-12));
        assertThat(scores[5]).isCloseTo((9 - 3) / Math.sqrt(2), within(1e-12));
        assertThat(score.next(Double.NaN)).isZero();
        RunningScore resumed = new RunningScore(1e-9, 4);
        double[] state = score.state();
        resumed.resume(state[0], state[1], state[2]);
        assertThat(resumed.next(7)).isEqualTo(score.next(7)).isNotZero();
    }

    /** Many texts in two passes are what each is alone. */
    @Test
    void meansOfManyTextsAreThoseOfEach() {
        try (Backend backend = new ScalarBackend(DType.F64)) {
            CausalLm model = TinyModel.random(backend, "gpt2");
            List<int[]> texts = List.of(TEXT, new int[] {7}, new int[] {2, 9, 4});
            try (MeanStreams streams = new MeanStreams(model, texts, TEXT.length);
                    Inspector inspector = new Inspector(model, TEXT.length)) {
                streams.run();
                double[][][] means = streams.run();
                for (int text = 0; text < texts.size(); text++) {
                    try (Streams alone = Streams.of(inspector, texts.get(text))) {
                        assertThat(means).hasNumberOfRows(alone.count());
                        for (int layer = 0; layer < alone.count(); layer++) {
                            Tensor stream = alone.get(layer);
                            int columns = (int) stream.rowSize();
                            for (int c = 0; c < columns; c++) {
                                double sum = 0;
                                for (int row = 0; row < stream.dim(0); row++) {
                                    sum += stream.get((long) row * columns + c);
                                }
                                assertThat(means[layer][text][c]).isCloseTo(sum / stream.dim(0), within(1e-12));
                            }
                        }
                    }
                }
            }
        }
    }

    /** The figures of a pass do not depend on what was measured before. */
    @Test
    void nothingIsLeftFromThePassBefore() {
        try (Backend backend = new ScalarBackend(DType.F64)) {
            CausalLm model = TinyModel.random(backend, "llama");
            var kinds = EnumSet.allOf(ActivationStatistics.Kind.class);
            ActivationStatistics used = new ActivationStatistics(model, kinds, 100);
            ActivationStatistics fresh = new ActivationStatistics(model, kinds, 100);
            PackedBatch longer = new PackedBatch();
            longer.add(TEXT, 1);
            forward(model, used, longer);
            PackedBatch shorter = new PackedBatch();
            shorter.add(new int[] {8, 8, 1}, 1);
            Tap same = used.of(shorter);
            assertThat(same).isSameAs(used);
            forward(model, used, shorter);
            forward(model, fresh, shorter);
            for (var kind : kinds) {
                assertThat(used.figures(kind)).containsExactly(fresh.figures(kind));
            }
        }
    }
}
