package org.calm4j.engine.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Safetensors;
import org.calm4j.engine.loss.ConsistencyLoss;
import org.calm4j.engine.loss.LossParameters;
import org.calm4j.engine.loss.PreferenceLoss;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.TinyModel;
import org.calm4j.engine.op.AdamW;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.scalar.ScalarBackend;
import org.calm4j.engine.ranks.Ranks;
import org.calm4j.engine.ranks.RanksInThreads;
import org.calm4j.engine.tensor.Buffer;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Steps in parts, on several ranks. */
final class DivisionTest {
    private static final List<Example.Preference> PAIRS = List.of(
            new Example.Preference(new int[] {5, 6}, new int[] {7, 8, 0}, new int[] {9, 0}, 1),
            new Example.Preference(new int[] {3}, new int[] {4, 0}, new int[] {4, 9, 0}, 1),
            new Example.Preference(new int[] {1, 2, 3}, new int[] {11}, new int[] {12}, 1),
            new Example.Preference(new int[] {8, 2, 13}, new int[] {11, 7, 7, 0}, new int[] {12, 3}, 1),
            new Example.Preference(new int[] {21, 2}, new int[] {1, 7, 0}, new int[] {12, 3}, 1));
    private static final List<Example.Document> DOCUMENTS = List.of(
            new Example.Document(new int[] {3, 1, 4, 1, 5, 9, 2}, 1, 1),
            new Example.Document(new int[] {2, 7, 1, 8}, 2, 1),
            new Example.Document(new int[] {1, 6, 1, 8, 0}, 3, 1),
            new Example.Document(new int[] {1, 4, 1, 4, 2, 1, 3}, 2, 1),
            new Example.Document(new int[] {1, 7, 3, 2}, 1, 1));
    /** Five lines in batches of three: the second step of an epoch is short, and some of four parts are empty. */
    private static final int BATCH = 3;

    private static final int STEPS = 3;
    private static final int PARTS = 4;

    @TempDir
    private Path folder;

    /** What is trained; in each case a last batch is odd. */
    enum Training {
        DOCUMENTS_ALONE(false, false),
        PAIRS_AND_REPLAY(false, false),
        ADAPTER_WITH_DROPOUT(true, true),
        TWO_LANGUAGES(true, false),
        SORTED_PAIRS(true, true);

        private final boolean lora;
        private final boolean accumulates;

        Training(boolean lora, boolean accumulates) {
            this.lora = lora;
            this.accumulates = accumulates;
        }

        List<? extends Example> lines() {
            return switch (this) {
                case DOCUMENTS_ALONE -> DOCUMENTS;
                case TWO_LANGUAGES ->
                    IntStream.range(0, 5)
                            .mapToObj(i -> new Example.TwoLanguages(PAIRS.get(i), PAIRS.get(4 - i), 1 + i))
                            .toList();
                default -> PAIRS;
            };
        }

        TrainSettings settings() {
            return new TrainSettings(
                    BATCH,
                    accumulates ? 1 : 0,
                    true,
                    new Schedule(Schedule.Kind.LINEAR, 3e-2, 0.1, 0, 30),
                    AdamW.DEFAULT,
                    0.1,
                    1,
                    switch (this) {
                        case DOCUMENTS_ALONE, TWO_LANGUAGES -> null;
                        case SORTED_PAIRS -> PreferenceLoss.of(List.of("aot"), List.of(), LossParameters.of(0.5, 0));
                        default -> new PreferenceLoss.DpoSigmoid(0.5, 0);
                    },
                    this == TWO_LANGUAGES ? new ConsistencyLoss.DirectConsistency(0.5) : null,
                    0.5,
                    1,
                    this == DOCUMENTS_ALONE ? 0 : 2,
                    0.7,
                    false,
                    3);
        }

        CausalLm model(Backend backend) {
            return lora
                    ? TinyModel.withLora(backend, this == ADAPTER_WITH_DROPOUT ? 0.3 : 0)
                    : TinyModel.random(backend, true);
        }
    }

    /**
     * All that a run leaves.
     *
     * @param moments empty where they are divided
     */
    record Result(List<StepLog> logs, List<Double> evalLosses, List<List<Double>> weights, List<List<Double>> moments) {
        Result withoutMoments() {
            return new Result(logs, evalLosses, weights, List.of());
        }
    }

    private static Result train(Training training, Backend backend, Division division) {
        CausalLm model = training.model(backend);
        List<? extends Example> lines = training.lines();
        List<Trainer.Reference> references =
                training == Training.DOCUMENTS_ALONE ? List.of() : References.of(model, lines, null);
        List<StepLog> logs = new ArrayList<>();
        List<Double> evalLosses = new ArrayList<>();
        List<List<Double>> weights = new ArrayList<>();
        List<List<Double>> moments = new ArrayList<>();
        try (Trainer trainer = new Trainer(
                model,
                training.settings(),
                lines,
                training == Training.DOCUMENTS_ALONE ? Replay.NONE : Replay.of(DOCUMENTS),
                references,
                new Trainer.EvalLines(lines, references),
                division)) {
            for (int step = 0; step < STEPS; step++) {
                logs.add(withoutSpeed(trainer.step(step)));
                evalLosses.add(trainer.evaluate().loss());
            }
            for (Tensor weight : trainer.trained().weights().tensors()) {
                weights.add(all(weight));
            }
            if (!division.dividesMoments()) {
                trainer.trained().optimizer().saved().forEach(kept -> moments.add(all(kept)));
            }
        }
        return new Result(logs, evalLosses, weights, moments);
    }

    private static List<Double> all(Tensor tensor) {
        return IntStream.range(0, (int) tensor.size()).mapToObj(tensor::get).toList();
    }

    private static StepLog withoutSpeed(StepLog log) {
        return new StepLog(
                log.step(),
                log.epoch(),
                log.loss(),
                log.gradNorm(),
                log.learningRate(),
                log.numTokens(),
                0,
                log.replayLoss(),
                log.skippedSteps(),
                log.learningRates(),
                log.evalLoss(),
                log.preference(),
                log.evalPreference(),
                log.tokens(),
                log.observed());
    }

    @ParameterizedTest
    @EnumSource
    void ranksDoNotDecideBits(Training training) {
        Result one = train(training, new ScalarBackend(), new Division(PARTS, Ranks.alone()));
        for (int size = 2; size <= PARTS; size *= 2) {
            Function<Ranks, Result> run = ranks -> train(training, new ScalarBackend(), new Division(PARTS, ranks));
            assertThat(RanksInThreads.run(size, run)).as("%d ranks", size).allSatisfy(result -> assertThat(result)
                    .isEqualTo(one));
        }
    }

    /** ZeRO-1: what is divided is the same, and is computed the same way. */
    @ParameterizedTest
    @EnumSource
    void dividedMomentsDecideNoBits(Training training) {
        Result one = train(training, new ScalarBackend(), new Division(PARTS, Ranks.alone()))
                .withoutMoments();
        for (int size = 1; size <= PARTS; size *= 2) {
            Function<Ranks, Result> run =
                    ranks -> train(training, new ScalarBackend(), new Division(PARTS, ranks, true));
            assertThat(RanksInThreads.run(size, run)).as("%d ranks", size).allSatisfy(result -> assertThat(result)
                    .isEqualTo(one));
        }
    }

    @Test
    void ranksShareTheMoments() {
        Function<Ranks, Long> bytes = ranks -> {
            CausalLm model = TinyModel.random(new ScalarBackend(), true);
            Division division = new Division(PARTS, ranks, true);
            try (Trained trained = new Trained(model, Training.DOCUMENTS_ALONE.settings(), division)) {
                return trained.optimizer().bytes();
            }
        };
        long all = RanksInThreads.run(1, bytes).getFirst();
        List<Long> shares = RanksInThreads.run(PARTS, bytes);
        assertThat(shares.stream().mapToLong(Long::longValue).sum()).isEqualTo(all);
        assertThat(shares).allSatisfy(share -> assertThat((double) share / all).isCloseTo(0.25, within(0.02)));
    }

    /** Four ranks that divide the moments stop; two that don't, or two that do, go on. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void anyRanksGoOnFromACheckpoint(boolean divided) throws IOException {
        Path whole = folder.resolve("whole");
        Path cut = folder.resolve("cut");
        run(whole, false, STEPS, new Division(PARTS, Ranks.alone()));
        RanksInThreads.run(4, ranks -> run(cut, false, 2, new Division(PARTS, ranks, true)));
        assertThat(whole.resolve("checkpoint-3")).isDirectory();
        assertThat(cut.resolve("model.safetensors")).doesNotExist();
        RanksInThreads.run(2, ranks -> run(cut, true, STEPS, new Division(PARTS, ranks, divided)));
        for (String file : List.of(
                "model.safetensors", "checkpoint-2/optimizer.safetensors", "checkpoint-3/optimizer.safetensors")) {
            assertThat(cut.resolve(file)).hasSameBinaryContentAs(whole.resolve(file));
        }
        assertThat(Files.readAllLines(cut.resolve("metrics.jsonl"))).hasSize(STEPS);
    }

    /** @param stop the step after which it is asked to stop */
    private static boolean run(Path output, boolean resume, int stop, Division division) {
        Training training = Training.PAIRS_AND_REPLAY;
        CausalLm model = training.model(new ScalarBackend());
        TrainSettings settings = training.settings();
        TrainingRun run = new TrainingRun(
                output,
                "model.safetensors",
                new RunIdentity(Map.of("parts", PARTS), Map.of(), settings.schedule(), Set.of(), Set.of()),
                Map.of(),
                STEPS,
                1,
                0,
                EvaluationPlan.NONE,
                1,
                resume);
        ModelWriter writer = (to, type) -> Safetensors.write(
                to.resolve("model.safetensors"), model.parameters().slab().tensors(), Map.of());
        try (Trainer trainer = new Trainer(
                model,
                settings,
                training.lines(),
                Replay.of(DOCUMENTS),
                References.of(model, training.lines(), null),
                Trainer.EvalLines.NONE,
                division)) {
            Files.createDirectories(output);
            int[] taken = {0};
            return run.run(trainer, writer, new TrainingRun.Watcher() {
                @Override
                public void took(StepLog log) {
                    taken[0] = log.step();
                }

                @Override
                public boolean wantsToStop() {
                    // One of them alone hears the signal.
                    return taken[0] == stop && stop < STEPS && division.ranks().rank() == 1;
                }
            });
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Without dropout, whose seeds depend on them. */
    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "ADAPTER_WITH_DROPOUT")
    void partsChangeNothingButTheOrderOfSums(Training training) {
        Result whole = train(training, new ScalarBackend(DType.F64), Division.NONE);
        Result parts = train(training, new ScalarBackend(DType.F64), new Division(PARTS, Ranks.alone()));
        for (int step = 0; step < STEPS; step++) {
            assertThat(parts.logs.get(step).loss())
                    .isCloseTo(whole.logs.get(step).loss(), within(1e-12));
            assertThat(parts.logs.get(step).gradNorm())
                    .isCloseTo(whole.logs.get(step).gradNorm(), within(1e-10));
            assertThat(parts.evalLosses.get(step)).isCloseTo(whole.evalLosses.get(step), within(1e-12));
        }
        assertThat(parts.weights).isNotEqualTo(whole.weights);
    }

    /** In chunks, of which the last ones are short or missing on one side. */
    @Test
    void aDevicesTensorsPassThroughTheHost() {
        List<List<Double>> got = RanksInThreads.run(2, ranks -> {
            try (Backend backend = new ScalarBackend();
                    StagedWire wire = new StagedWire(ranks.wire(), backend, 64);
                    Buffer buffer = backend.allocate(1024)) {
                Tensor give = new Tensor("give", buffer, 0, DType.F32, ranks.isFirst() ? 35 : 3);
                Tensor take = new Tensor("take", buffer, 256, DType.F32, ranks.isFirst() ? 3 : 35);
                IntStream.range(0, (int) give.size()).forEach(i -> give.set(i, 100 * ranks.rank() + i));
                wire.exchange(give, take, 1 - ranks.rank());
                wire.broadcast(give.rows(0, 3), 1);
                return Stream.concat(all(take).stream(), all(give.rows(0, 3)).stream())
                        .toList();
            }
        });
        assertThat(got.getFirst()).containsExactly(100.0, 101.0, 102.0, 100.0, 101.0, 102.0);
        assertThat(got.getLast()).hasSize(38).startsWith(0.0, 1.0, 2.0).endsWith(34.0, 100.0, 101.0, 102.0);
    }

    @Test
    void partsAreContiguousAndAlike() {
        Division four = new Division(4, Ranks.alone());
        assertThat(four.partsOf(new int[] {5, 5, 5, 5})).containsExactly(0, 1, 2, 3);
        assertThat(four.partsOf(new int[] {5, 5, 5, 5, 5, 5, 5, 5})).containsExactly(0, 0, 1, 1, 2, 2, 3, 3);
        assertThat(four.partsOf(new int[] {5})).containsExactly(2);
        assertThat(four.partsOf(new int[] {9, 1, 1, 1})).containsExactly(1, 3, 3, 3);
        assertThat(four.partsOf(new int[0])).isEmpty();
        assertThat(Division.NONE.partsOf(new int[] {1, 1000, 3})).containsOnly(0);
    }

    @ParameterizedTest
    @ValueSource(ints = {0, -4, 3, 2048, Integer.MIN_VALUE})
    void partsArePowersOfTwo(int parts) {
        assertThatThrownBy(() -> new Division(parts, Ranks.alone()))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("power of two");
    }

    @Test
    void ranksDivideTheParts() {
        assertThat(refusal(3, 4)).contains("3 ranks do not divide 4 parts; take 1, 2 or 4 of them");
        assertThat(refusal(2, 1)).contains("2 ranks do not divide 1 part; take 1 of them");
    }

    private static String refusal(int ranks, int parts) {
        Stream<String> messages = RanksInThreads.run(ranks, each -> {
                    try {
                        return "" + new Division(parts, each);
                    } catch (CalmException e) {
                        return e.kind() + " " + e.getMessage();
                    }
                })
                .stream();
        return messages.distinct().reduce((a, b) -> a + b).orElseThrow();
    }
}
