package org.calm4j.engine.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.calm4j.engine.loss.PreferenceLoss;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.PackedBatch;
import org.calm4j.engine.model.Tap;
import org.calm4j.engine.model.TinyModel;
import org.calm4j.engine.op.AdamW;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.scalar.ScalarBackend;
import org.calm4j.engine.op.simd.SimdBackend;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;
import org.calm4j.engine.train.optim.Schedule;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Pairs of one prompt, which compute it once, against the same pairs apart; all losses so are in {@link EveryLossTest}. */
final class SharedPromptsTest {
    private static final int[][] PROMPTS = {{5, 6, 7, 8, 9}, {3}, {5, 6, 7}};
    private static final List<Example.Preference> PAIRS = pairs();
    private static final List<Example.Document> DOCUMENTS = List.of(new Example.Document(new int[] {2, 7, 1, 8}, 2, 1));
    private static final Packing SHARED = new Packing(0, true, false);

    private static List<Example.Preference> pairs() {
        Random random = new Random(4);
        List<Example.Preference> pairs = new ArrayList<>();
        for (int i = 0; i < 7; i++) {
            pairs.add(new Example.Preference(
                    PROMPTS[i % 3].clone(),
                    random.ints(1 + random.nextInt(4), 0, 23).toArray(),
                    random.ints(1 + random.nextInt(4), 0, 23).toArray(),
                    i == 2 ? 0.5 : 1));
        }
        return pairs;
    }

    /** A step's loss, its gradient by tensor, and the rows of its passes. */
    private record Taken(StepLog log, List<double[]> gradient, int rows, int passes) {}

    private static Taken step(
            CausalLm model, List<? extends Example> lines, TrainSettings settings, List<Trainer.Reference> reference) {
        int[] rows = new int[1];
        try (Trainer trainer = new Trainer(model, settings, lines, Replay.of(DOCUMENTS), reference)) {
            trainer.observe(new StepObserver() {
                @Override
                public Tap tap(int step, int pass, PackedBatch batch) {
                    rows[0] += batch.rows();
                    return null;
                }

                @Override
                public Map<String, Object> observe(Step step) {
                    return Map.of();
                }
            });
            StepLog log = trainer.step(0);
            List<double[]> gradient = new ArrayList<>();
            for (Tensor tensor : trainer.trained().gradients().slab().tensors()) {
                double[] values = new double[(int) tensor.size()];
                model.backend().read(values, tensor, values.length);
                gradient.add(values);
            }
            return new Taken(log, gradient, rows[0], trainer.passes());
        }
    }

    private static Taken step(CausalLm model, TrainSettings settings) {
        CausalLm base = model.lora() == null ? model : model.withoutAdapter();
        boolean share = settings.packing().sharePrompts();
        return step(model, PAIRS, settings, References.of(base, PAIRS, null, 1, share, done -> {}));
    }

    private static void assertSame(Taken given, Taken right, double tolerance) {
        assertThat(given.log.loss()).isCloseTo(right.log.loss(), within(tolerance));
        assertThat(given.log.numTokens()).isEqualTo(right.log.numTokens());
        assertThat(given.log.preference().logpsChosen())
                .isCloseTo(right.log.preference().logpsChosen(), within(100 * tolerance));
        for (int i = 0; i < right.gradient.size(); i++) {
            double norm = Math.sqrt(
                    Arrays.stream(right.gradient.get(i)).map(x -> x * x).sum());
            double[] difference = right.gradient.get(i).clone();
            for (int j = 0; j < difference.length; j++) {
                difference[j] -= given.gradient.get(i)[j];
            }
            assertThat(Math.sqrt(Arrays.stream(difference).map(x -> x * x).sum()))
                    .isLessThanOrEqualTo(tolerance * norm);
        }
    }

    private static CausalLm model(Backend backend, String kind) {
        return kind.startsWith("adapted ")
                ? TinyModel.withLora(backend, kind.substring(8), 0)
                : TinyModel.random(backend, kind);
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama", "mistral", "qwen3", "gpt2", "adapted llama", "adapted gpt2"})
    void theGradientIsThatOfPairsApart(String kind) {
        var exact = new ScalarBackend(DType.F64);
        Taken right = step(model(exact, kind), settings(Packing.STANDARD, 0, false));
        Taken shared = step(model(exact, kind), settings(SHARED, 0, false));
        assertSame(shared, right, 1e-12);
        int saved = 2 * PROMPTS[0].length + PROMPTS[1].length + PROMPTS[2].length;
        assertThat(shared.rows).isEqualTo(right.rows - saved);
        assertThat(shared.passes).isEqualTo(1);
        // In passes of a few lines the pairs of a prompt meet too, and layers are computed anew to the same bits.
        for (Packing packing : List.of(SHARED, new Packing(17, true, true))) {
            Taken parts = step(model(exact, kind), settings(packing, packing == SHARED ? 2 : 0, false));
            assertSame(parts, right, 1e-12);
            assertThat(parts.passes).isBetween(3, 5);
            assertThat(parts.rows).isLessThan(right.rows);
            Taken anew = step(model(exact, kind), settings(packing, packing == SHARED ? 2 : 0, true));
            assertThat(anew.gradient).usingRecursiveComparison().isEqualTo(parts.gradient);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama", "mistral", "adapted llama"})
    void onVectorsTheSameForAnyNumberOfThreads(String kind) {
        List<Taken> taken = new ArrayList<>();
        for (int threads : new int[] {1, 3}) {
            try (Backend backend = new SimdBackend(threads)) {
                taken.add(step(model(backend, kind), settings(SHARED, 0, false)));
                Taken apart = step(model(backend, kind), settings(Packing.STANDARD, 0, false));
                assertSame(taken.getLast(), apart, 1e-6);
            }
        }
        assertThat(taken.get(1).gradient).usingRecursiveComparison().isEqualTo(taken.get(0).gradient);
        assertThat(taken.get(1).log.loss()).isEqualTo(taken.get(0).log.loss());
    }

    /** Each row of a pass drops its own values, also one that several completions see: the gradient is that of this loss. */
    @Test
    void droppedValuesHaveTheirGradient() {
        var exact = new ScalarBackend(DType.F64);
        CausalLm model = TinyModel.withLora(exact, 0.3);
        TrainSettings settings = settings(SHARED, 0, false);
        Taken start = step(model, settings);
        assertThat(step(model, settings(SHARED, 0, true)).gradient)
                .usingRecursiveComparison()
                .isEqualTo(start.gradient);
        double square = start.gradient.stream()
                .flatMapToDouble(Arrays::stream)
                .map(x -> x * x)
                .sum();
        double[] losses = new double[2];
        double step = 1e-5;
        // The reference is the model without the adapter, which stays.
        for (int i = 0; i < 2; i++) {
            CausalLm moved = TinyModel.withLora(exact, 0.3);
            List<Tensor> weights = List.copyOf(moved.lora().slab().tensors());
            for (int t = 0; t < weights.size(); t++) {
                for (int j = 0; j < weights.get(t).size(); j++) {
                    double change = (i == 0 ? step : -step) * start.gradient.get(t)[j];
                    weights.get(t).set(j, weights.get(t).get(j) + change);
                }
            }
            losses[i] = step(moved, settings).log.loss();
        }
        assertThat((losses[0] - losses[1]) / (2 * step)).isCloseTo(square, within(1e-6 * square));
    }

    @Test
    void referencesAreThoseOfPairsApart() {
        CausalLm model = TinyModel.random(new ScalarBackend(DType.F64), "llama");
        boolean[] taken = {true, true, false, true, true, true, true};
        var cut = new Truncation(6, Truncation.Mode.KEEP_END, 0, 0);
        List<Example.Preference> lines = PAIRS.stream().map(cut::of).toList();
        assertThat(lines).anyMatch(pair -> pair.prompt() != pair.rejectedPrompt());
        List<Integer> done = new ArrayList<>();
        List<Trainer.Reference> right = References.of(model, lines, taken, 0.5, false, done::add);
        List<Trainer.Reference> shared = References.of(model, lines, taken, 0.5, true, done::add);
        assertThat(done).contains(6).allMatch(count -> count <= 6);
        assertThat(shared.get(2)).isNull();
        for (int i : new int[] {0, 1, 3, 4, 5, 6}) {
            assertThat(shared.get(i).chosen()).isCloseTo(right.get(i).chosen(), within(1e-12));
            assertThat(shared.get(i).rejected()).isCloseTo(right.get(i).rejected(), within(1e-12));
        }
        Taken apart = step(model, lines, settings(Packing.STANDARD, 0, false), all(model, lines, false));
        assertSame(step(model, lines, settings(SHARED, 0, false), all(model, lines, true)), apart, 1e-12);
    }

    private static List<Trainer.Reference> all(CausalLm model, List<? extends Example> lines, boolean share) {
        return References.of(model, lines, null, 1, share, done -> {});
    }

    private static TrainSettings settings(Packing packing, int microBatch, boolean checkpointing) {
        return new TrainSettings(
                        7,
                        microBatch,
                        true,
                        new Schedule(Schedule.Kind.CONSTANT, 0, 0, 0, 30),
                        AdamW.DEFAULT,
                        0.1,
                        1,
                        new PreferenceLoss.DpoSigmoid(0.5, 0),
                        0.5,
                        1,
                        0.7,
                        checkpointing,
                        3)
                .packed(packing);
    }
}
