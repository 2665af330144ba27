package org.calm4j.engine.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Stream;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Safetensors;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.TinyModel;
import org.calm4j.engine.op.scalar.ScalarBackend;
import org.calm4j.engine.ranks.Ranks;
import org.calm4j.engine.ranks.RanksInThreads;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.train.division.Division;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Steps in parts, on several ranks. */
final class DivisionTest {
    private static final int STEPS = DividedTraining.STEPS;
    private static final int PARTS = 4;

    @TempDir
    private Path folder;

    @ParameterizedTest
    @EnumSource
    void ranksDoNotDecideBits(DividedTraining training) {
        DividedTraining.Result one = training.train(new ScalarBackend(), new Division(PARTS, Ranks.alone()));
        for (int size = 2; size <= PARTS; size *= 2) {
            Function<Ranks, DividedTraining.Result> run =
                    ranks -> training.train(new ScalarBackend(), new Division(PARTS, ranks));
            assertThat(RanksInThreads.run(size, run)).as("%d ranks", size).allSatisfy(result -> assertThat(result)
                    .isEqualTo(one));
        }
    }

    /** ZeRO-1: what is divided is the same, and is computed the same way. */
    @ParameterizedTest
    @EnumSource
    void dividedMomentsDecideNoBits(DividedTraining training) {
        DividedTraining.Result one = training.train(new ScalarBackend(), new Division(PARTS, Ranks.alone()))
                .withoutMoments();
        for (int size = 1; size <= PARTS; size *= 2) {
            Function<Ranks, DividedTraining.Result> run =
                    ranks -> training.train(new ScalarBackend(), new Division(PARTS, ranks, true));
            assertThat(RanksInThreads.run(size, run)).as("%d ranks", size).allSatisfy(result -> assertThat(result)
                    .isEqualTo(one));
        }
    }

    @Test
    void ranksShareTheMoments() {
        Function<Ranks, Long> bytes = ranks -> {
            CausalLm model = TinyModel.random(new ScalarBackend(), true);
            Division division = new Division(PARTS, ranks, true);
            try (Trained trained = new Trained(model, DividedTraining.DOCUMENTS_ALONE.settings(), division)) {
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
        DividedTraining training = DividedTraining.PAIRS_AND_REPLAY;
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
                Replay.of(DividedTraining.DOCUMENTS),
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
    void partsChangeNothingButTheOrderOfSums(DividedTraining training) {
        DividedTraining.Result whole = training.train(new ScalarBackend(DType.F64), Division.NONE);
        DividedTraining.Result parts = training.train(new ScalarBackend(DType.F64), new Division(PARTS, Ranks.alone()));
        for (int step = 0; step < STEPS; step++) {
            assertThat(parts.logs().get(step).loss())
                    .isCloseTo(whole.logs().get(step).loss(), within(1e-12));
            assertThat(parts.logs().get(step).gradNorm())
                    .isCloseTo(whole.logs().get(step).gradNorm(), within(1e-10));
            assertThat(parts.evalLosses().get(step))
                    .isCloseTo(whole.evalLosses().get(step), within(1e-12));
        }
        assertThat(parts.weights()).isNotEqualTo(whole.weights());
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
