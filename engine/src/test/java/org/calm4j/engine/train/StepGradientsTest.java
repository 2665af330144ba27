package org.calm4j.engine.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.List;
import java.util.function.IntPredicate;
import java.util.stream.DoubleStream;
import java.util.stream.LongStream;
import org.calm4j.engine.loss.PreferenceLoss;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.TinyModel;
import org.calm4j.engine.op.AdamW;
import org.calm4j.engine.op.scalar.ScalarBackend;
import org.calm4j.engine.op.simd.SimdBackend;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;
import org.calm4j.engine.train.optim.Schedule;
import org.junit.jupiter.api.Test;

final class StepGradientsTest {
    private static final List<Example.Preference> PAIRS = List.of(
            new Example.Preference(new int[] {5, 6}, new int[] {7, 8, 0}, new int[] {9, 0}, 1),
            new Example.Preference(new int[] {3}, new int[] {4, 0}, new int[] {4, 9, 0}, 0.5),
            new Example.Preference(new int[] {8, 2}, new int[] {1, 6}, new int[] {2}, 1),
            new Example.Preference(new int[] {1, 2, 3}, new int[] {11}, new int[] {12}, 2));
    private static final Example.Document QUESTION = new Example.Document(new int[] {3, 1, 4, 1, 5, 9}, 3, 1);
    private static final Replay REPLAY = Replay.of(List.of(new Example.Document(new int[] {2, 7, 1, 8}, 2, 1)));
    private static final double STEP = 1e-5;

    private static Trainer trainer(CausalLm model, PreferenceLoss loss, int microBatchSize, int replayed) {
        TrainSettings settings = new TrainSettings(
                4,
                microBatchSize,
                true,
                new Schedule(Schedule.Kind.LINEAR, 3e-3, 0.1, 0, 30),
                AdamW.DEFAULT,
                0.1,
                0.2,
                loss,
                0.5,
                replayed,
                0.7,
                false,
                3);
        List<Example.Preference> pairs = loss.comparesPairs()
                ? PAIRS.stream().map(StepGradientsTest::unweighted).toList()
                : PAIRS;
        return new Trainer(
                model,
                settings,
                pairs,
                REPLAY,
                References.of(model.withoutAdapter(), pairs, null),
                new Trainer.EvalLines(List.of(QUESTION), List.of()));
    }

    private static Example.Preference unweighted(Example.Preference pair) {
        return new Example.Preference(pair.prompt(), pair.chosen(), pair.rejected(), 1);
    }

    private static double[] values(TrainedVector vector) {
        return vector.tensors().stream()
                .flatMapToDouble(StepGradientsTest::values)
                .toArray();
    }

    private static DoubleStream values(Tensor tensor) {
        return LongStream.range(0, tensor.size()).mapToDouble(tensor::get);
    }

    private static double norm(double[] x) {
        return Math.sqrt(Arrays.stream(x).map(each -> each * each).sum());
    }

    private static double[] ofStep(StepGradients gradients, int step, IntPredicate lines) {
        try (TrainedVector vector = gradients.vector()) {
            gradients.ofStep(vector, step, lines);
            return values(vector);
        }
    }

    /** Of losses on single pairs and on a step's pairs together, with dropout and replay, in one pass and in several. */
    @Test
    void partsSumToTheStepsGradient() {
        PreferenceLoss dpo = new PreferenceLoss.DpoSigmoid(0.5, 0);
        PreferenceLoss aot = new PreferenceLoss.Aot(0.5, 0.1, false);
        for (PreferenceLoss loss : List.of(dpo, aot)) {
            for (double dropout : new double[] {0, 0.4}) {
                for (int micro : new int[] {0, 2}) {
                    CausalLm model = TinyModel.withLora(new ScalarBackend(DType.F64), dropout);
                    try (Trainer trainer = trainer(model, loss, micro, 1)) {
                        StepGradients gradients = new StepGradients(trainer);
                        double[] whole = ofStep(gradients, 1, all -> true);
                        double[] even = ofStep(gradients, 1, line -> line >= 0 && line % 2 == 0);
                        double[] odd = ofStep(gradients, 1, line -> line % 2 == 1);
                        double[] replayed = ofStep(gradients, 1, line -> line < 0);
                        double[] rest = new double[whole.length];
                        Arrays.setAll(rest, i -> whole[i] - even[i] - odd[i] - replayed[i]);
                        assertThat(norm(rest)).isLessThan(1e-12 * norm(whole));
                        assertThat(List.of(norm(even), norm(odd), norm(replayed)))
                                .allMatch(norm -> norm > 0.01 * norm(whole));
                    }
                }
            }
        }
    }

    @Test
    void theWholeIsWhatTheStepComputes() {
        CausalLm model = TinyModel.withLora(new SimdBackend(1), 0.4);
        try (Trainer trainer = trainer(model, new PreferenceLoss.DpoSigmoid(0.5, 0), 2, 1)) {
            StepGradients gradients = new StepGradients(trainer);
            trainer.step(0);
            try (TrainedVector whole = gradients.vector()) {
                gradients.ofStep(whole, 1, all -> true);
                double norm = Math.sqrt(Arrays.stream(whole.squares()).sum());
                assertThat(norm).isCloseTo(trainer.step(1).gradNorm(), within(1e-12));
            }
        }
    }

    /** A line's and a question's gradients, element by element, as differences of losses that are computed without them. */
    @Test
    void gradientsAreFiniteDifferences() {
        CausalLm model = TinyModel.random(new ScalarBackend(DType.F64), "qwen3");
        try (Trainer trainer = trainer(model, new PreferenceLoss.DpoSigmoid(0.5, 0), 0, 0);
                TrainedVector line = new StepGradients(trainer).vector();
                TrainedVector question = new StepGradients(trainer).vector()) {
            trainer.step(0);
            StepGradients gradients = new StepGradients(trainer);
            gradients.ofLine(line, 3);
            gradients.ofLogProbability(question, QUESTION);
            CausalLm start = TinyModel.random(new ScalarBackend(DType.F64), "qwen3");
            Trainer.EvalLines ofLine =
                    new Trainer.EvalLines(List.of(PAIRS.get(3)), References.of(start, List.of(PAIRS.get(3)), null));
            try (Trainer lineLoss = evaluator(model, ofLine);
                    Trainer questionLoss = evaluator(model, new Trainer.EvalLines(List.of(QUESTION), List.of()))) {
                for (int i = 0; i < line.tensors().size(); i++) {
                    Tensor weight = trainer.trained()
                            .weights()
                            .get(line.tensors().get(i).name());
                    long element = weight.size() * 4 / 7;
                    assertThat(line.tensors().get(i).get(element))
                            .as(weight.name())
                            .isCloseTo(difference(lineLoss, weight, element), within(1e-8));
                    assertThat(question.tensors().get(i).get(element))
                            .as(weight.name())
                            .isCloseTo(-QUESTION.scored() * difference(questionLoss, weight, element), within(1e-8));
                }
            }
        }
    }

    private static Trainer evaluator(CausalLm model, Trainer.EvalLines lines) {
        TrainSettings settings = new TrainSettings(
                1,
                0,
                false,
                new Schedule(Schedule.Kind.CONSTANT, 0, 0, 0, 1),
                AdamW.DEFAULT,
                0,
                0,
                new PreferenceLoss.DpoSigmoid(0.5, 0),
                0.5,
                0,
                0,
                false,
                0);
        return new Trainer(model, settings, PAIRS, Replay.NONE, References.of(model, PAIRS, null), lines);
    }

    private static double difference(Trainer loss, Tensor weight, long element) {
        double was = weight.get(element);
        weight.set(element, was + STEP);
        double more = loss.evaluate().loss();
        weight.set(element, was - STEP);
        double less = loss.evaluate().loss();
        weight.set(element, was);
        return (more - less) / (2 * STEP);
    }

    /** |a + b|² = |a|² + |b|² + 2 a·b, where the two together are differentiated in one pass. */
    @Test
    void dotProductsAreThoseOfTheSum() {
        CausalLm model = TinyModel.random(new SimdBackend(1), "gpt2");
        try (Trainer trainer = trainer(model, new PreferenceLoss.DpoSigmoid(0.5, 0), 0, 0)) {
            StepGradients gradients = new StepGradients(trainer);
            try (TrainedVector a = gradients.vector();
                    TrainedVector b = gradients.vector();
                    TrainedVector both = gradients.vector()) {
                gradients.ofStep(a, 0, line -> line == 1);
                gradients.ofStep(b, 0, line -> line == 2);
                gradients.ofStep(both, 0, line -> line == 1 || line == 2);
                double[] dots = a.dots(b);
                double[] twice = both.squares();
                for (int i = 0; i < dots.length; i++) {
                    double squares = a.squares()[i] + b.squares()[i];
                    assertThat(2 * dots[i])
                            .as(a.tensors().get(i).name())
                            .isCloseTo(twice[i] - squares, within(1e-5 * squares));
                }
                assertThat(Math.abs(Arrays.stream(dots).sum())).isGreaterThan(1e-6);
            }
        }
    }

    @Test
    void lookingChangesNothing() {
        PreferenceLoss loss = new PreferenceLoss.DpoSigmoid(0.5, 0);
        CausalLm looked = TinyModel.withLora(new SimdBackend(1), 0.4);
        CausalLm trained = TinyModel.withLora(new SimdBackend(1), 0.4);
        try (Trainer one = trainer(looked, loss, 2, 1);
                Trainer other = trainer(trained, loss, 2, 1)) {
            StepGradients gradients = new StepGradients(one);
            for (int step = 0; step < 3; step++) {
                ofStep(gradients, step, line -> line == 2);
                double[] before = one.trained().weights().tensors().stream()
                        .flatMapToDouble(StepGradientsTest::values)
                        .toArray();
                StepGradients.Taken taken = gradients.take(step);
                StepLog log = other.step(step);
                assertThat(List.of(
                                taken.log().loss(),
                                taken.log().gradNorm(),
                                taken.log().numTokens()))
                        .isEqualTo(List.of(log.loss(), log.gradNorm(), log.numTokens()));
                double[] after = other.trained().weights().tensors().stream()
                        .flatMapToDouble(StepGradientsTest::values)
                        .toArray();
                double[] change = new double[after.length];
                Arrays.setAll(change, i -> after[i] - before[i]);
                assertThat(Math.sqrt(Arrays.stream(taken.updates()).sum())).isCloseTo(norm(change), within(1e-12));
                assertThat(Math.sqrt(Arrays.stream(taken.weights()).sum())).isCloseTo(norm(before), within(1e-9));
            }
        }
    }

    @Test
    void aLossThatComparesPairsHasNoGradientOfOneLine() {
        CausalLm model = TinyModel.random(new SimdBackend(1), true);
        try (Trainer trainer = trainer(model, new PreferenceLoss.Aot(0.5, 0, true), 0, 0)) {
            StepGradients gradients = new StepGradients(trainer);
            try (TrainedVector one = gradients.vector()) {
                assertThatThrownBy(() -> gradients.ofLine(one, 0)).hasMessageContaining("compares the pairs of a step");
            }
        }
    }
}
