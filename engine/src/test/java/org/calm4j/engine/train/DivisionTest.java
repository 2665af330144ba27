package org.calm4j.engine.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.calm4j.engine.CalmException;
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
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Slab;
import org.calm4j.engine.tensor.Tensor;
import org.junit.jupiter.api.Test;
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

    /** All that a run leaves. */
    record Result(List<StepLog> logs, List<Double> evalLosses, List<List<Double>> numbers) {}

    private static Result train(Training training, Backend backend, Division division) {
        CausalLm model = training.model(backend);
        List<? extends Example> lines = training.lines();
        List<Trainer.Reference> references =
                training == Training.DOCUMENTS_ALONE ? List.of() : References.of(model, lines, null);
        List<StepLog> logs = new ArrayList<>();
        List<Double> evalLosses = new ArrayList<>();
        List<List<Double>> numbers = new ArrayList<>();
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
            for (Slab slab : List.of(
                    trainer.trained().weights(),
                    trainer.trained().firstMoment(),
                    trainer.trained().secondMoment())) {
                Tensor all = slab.whole(backend.computeType());
                numbers.add(IntStream.range(0, (int) all.size())
                        .mapToObj(i -> all.get(i))
                        .toList());
            }
        }
        return new Result(logs, evalLosses, numbers);
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
        assertThat(parts.numbers).isNotEqualTo(whole.numbers);
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
