package org.calm4j.engine.train;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.calm4j.engine.loss.UnpairedLoss;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.TinyModel;
import org.calm4j.engine.op.AdamW;
import org.calm4j.engine.op.scalar.ScalarBackend;
import org.calm4j.engine.train.optim.Schedule;
import org.calm4j.engine.train.optim.UpdateSettings;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The other completions of KTO; steps with them in the file's order are in {@link ModelOracleTest#unpairedLosses}. */
final class MismatchedTest {
    private static final int STEPS = 6;
    /** The first token of a completion is its line's number. */
    private static final List<Example.Unpaired> LINES = lines(9);

    private static List<Example.Unpaired> lines(int count) {
        return IntStream.range(0, count)
                .mapToObj(i -> Example.Unpaired.of(
                        IntStream.rangeClosed(10, 11 + i % 3).toArray(),
                        Arrays.copyOf(new int[] {i, 20, 21}, 1 + i % 3),
                        i % 2 == 0,
                        1))
                .toList();
    }

    private static TrainSettings settings(boolean shuffle) {
        return new TrainSettings(
                3,
                0,
                shuffle,
                new Schedule(Schedule.Kind.CONSTANT, 1e-2, 0, 0, STEPS),
                AdamW.DEFAULT,
                0,
                1,
                null,
                null,
                UnpairedLoss.of("kto", new UnpairedLoss.Parameters(0.5, 1, 1)),
                0.5,
                1,
                0,
                0,
                false,
                3,
                UpdateSettings.DEFAULT,
                Packing.STANDARD);
    }

    /** In every epoch, and also where the last step is short. */
    @ParameterizedTest
    @ValueSource(ints = {9, 8, 7})
    void aStepsOtherCompletionsAreItsOwnOnesShiftedByOne(int count) {
        TrainSettings settings = settings(true);
        List<Example.Unpaired> lines = lines(count);
        Mismatched all = Mismatched.trained(lines, settings, STEPS, 64);
        DataOrder order = Trainer.order(all, settings);
        assertThat(all).hasSize(2 * count);
        boolean[] read = Trainer.linesOfSteps(all, settings, 4);
        assertThat(IntStream.range(0, 2 * count).filter(entry -> read[entry])).hasSize(count + 3);
        for (int step = 0; step < STEPS; step++) {
            int[] batch = order.batch(step);
            for (int i = 0; i < batch.length; i++) {
                Example.Unpaired taken = all.get(Mismatched.entry(all, step / 3, batch[i]));
                assertThat(taken.completion()).isEqualTo(lines.get(batch[i]).completion());
                assertThat(taken.pair().rejected())
                        .isEqualTo(lines.get(batch[i > 0 ? i - 1 : batch.length - 1])
                                .completion());
            }
        }
    }

    @Test
    void whatIsTooLongLosesItsEnd() {
        Mismatched all = Mismatched.evaluated(LINES, 3, 5);
        assertThat(all.get(0).pair().rejected()).containsExactly(2, 20, 21);
        assertThat(all.get(2).pair().rejected()).containsExactly(1);
    }

    /** The same lines in a file as the steps take them, which is how PyTorch's numbers were made. */
    @Test
    void shuffledStepsAreThoseOfAFileInTheirOrder() {
        TrainSettings settings = settings(true);
        DataOrder order = Trainer.order(LINES, settings);
        List<Example.Unpaired> file = new ArrayList<>();
        for (int step = 0; step < STEPS; step++) {
            Arrays.stream(order.batch(step)).mapToObj(LINES::get).forEach(file::add);
        }
        List<StepLog> shuffled = train(Mismatched.trained(LINES, settings, STEPS, 64), settings);
        List<StepLog> inOrder = train(Mismatched.trained(file, settings(false), STEPS, 64), settings(false));
        assertThat(shuffled.stream().map(StepLog::loss))
                .isEqualTo(inOrder.stream().map(StepLog::loss).toList());
        assertThat(shuffled.stream().map(StepLog::preference))
                .isEqualTo(inOrder.stream().map(StepLog::preference).toList());
        assertThat(shuffled.stream().mapToDouble(log -> log.preference().kl())).anyMatch(kl -> kl > 0);
    }

    private static List<StepLog> train(Mismatched lines, TrainSettings settings) {
        CausalLm model = TinyModel.random(new ScalarBackend(), true);
        List<StepLog> logs = new ArrayList<>();
        try (Trainer trainer = new Trainer(model, settings, lines, Replay.NONE, References.of(model, lines, null))) {
            for (int step = 0; step < STEPS; step++) {
                logs.add(trainer.step(step));
            }
            assertThat(trainer.takenBy(STEPS)).hasSize(Mismatched.once(lines).size());
        }
        return logs;
    }
}
