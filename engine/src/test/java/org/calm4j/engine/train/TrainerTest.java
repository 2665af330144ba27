package org.calm4j.engine.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Safetensors;
import org.calm4j.engine.loss.ConsistencyLoss;
import org.calm4j.engine.loss.LossParameters;
import org.calm4j.engine.loss.PreferenceLoss;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.TinyModel;
import org.calm4j.engine.op.AdamW;
import org.calm4j.engine.op.scalar.ScalarBackend;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;
import org.calm4j.engine.train.optim.OptimizerMemory;
import org.calm4j.engine.train.optim.ParameterGroups;
import org.calm4j.engine.train.optim.Schedule;
import org.calm4j.engine.train.optim.UpdateSettings;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class TrainerTest {
    private static final List<Example.Preference> PAIRS = List.of(
            new Example.Preference(new int[] {5, 6}, new int[] {7, 8, 0}, new int[] {9, 0}, 1),
            new Example.Preference(new int[] {3}, new int[] {4, 0}, new int[] {4, 9, 0}, 0.5),
            new Example.Preference(new int[] {1, 2, 3}, new int[] {11}, new int[] {12}, 2));
    private static final List<Example.Document> DOCUMENTS = List.of(
            new Example.Document(new int[] {3, 1, 4, 1, 5, 9, 2}, 1, 1),
            new Example.Document(new int[] {2, 7, 1, 8}, 2, 1),
            new Example.Document(new int[] {1, 6, 1, 8, 0}, 3, 1));

    @TempDir
    private Path folder;

    @Test
    void dpoStartsAtLn2AndLearnsThePreference() {
        CausalLm model = TinyModel.random(new ScalarBackend(), true);
        try (Trainer trainer =
                new Trainer(model, settings(3, 0, 0), PAIRS, Replay.NONE, References.of(model, PAIRS, null))) {
            StepLog first = trainer.step(0);
            double weights = (1 + 0.5 + 2) / 3;
            assertThat(first.loss()).isCloseTo(weights * Math.log(2), within(1e-6));
            assertThat(first.preference().margins()).isCloseTo(0, within(1e-6));
            StepLog last = first;
            for (int step = 1; step < 30; step++) {
                last = trainer.step(step);
            }
            assertThat(last.loss()).isLessThan(0.5 * first.loss());
            assertThat(last.preference().accuracies()).isEqualTo(1);
        }
    }

    /** One pass over all lines and passes over single lines add up to the same gradient. */
    @Test
    void clippingScalesToTheNormAndLeavesSmallGradientsAlone() {
        assertThat(Trainer.clip(4, 0.5)).isEqualTo(0.5 / (4 + 1e-6));
        assertThat(Trainer.clip(0.25, 0.5)).isEqualTo(1);
        assertThat(Trainer.clip(4, 0)).isEqualTo(1);
    }

    /** Passes of at most so many tokens, a longer line alone: they add up, and are the same whatever else is in the data. */
    @Test
    void passesOfSoManyTokensAddUp() {
        List<List<StepLog>> runs = new ArrayList<>();
        for (int maxTokens : new int[] {0, 1, 8, 9, 1000}) {
            CausalLm model = TinyModel.random(new ScalarBackend(DType.F64), true);
            try (Trainer trainer = new Trainer(
                    model,
                    settings(3, 0, 2).packed(new Packing(maxTokens, false, false)),
                    PAIRS,
                    Replay.of(DOCUMENTS),
                    References.of(model, PAIRS, null))) {
                runs.add(List.of(trainer.step(0), trainer.step(1)));
                assertThat(trainer.passes())
                        .isBetween(
                                maxTokens == 1 ? 5 : maxTokens < 10 && maxTokens > 0 ? 3 : 1,
                                maxTokens % 1000 == 0 ? 1 : 5);
            }
        }
        for (List<StepLog> run : runs) {
            for (int step = 0; step < 2; step++) {
                StepLog expected = runs.getFirst().get(step);
                assertThat(run.get(step).gradNorm()).isCloseTo(expected.gradNorm(), within(1e-12));
                assertThat(run.get(step).loss()).isCloseTo(expected.loss(), within(1e-12));
                assertThat(run.get(step).numTokens()).isEqualTo(expected.numTokens());
            }
        }
    }

    /** What else is in the data does not change how a step's lines are put into passes. */
    @Test
    void passesAreAFunctionOfTheStepsLines() {
        List<Double> norms = new ArrayList<>();
        for (int others : new int[] {0, 1}) {
            List<Example.Document> lines = new ArrayList<>(DOCUMENTS);
            lines.addAll(Collections.nCopies(others, new Example.Document(new int[30], 1, 1)));
            CausalLm model = TinyModel.random(new ScalarBackend(), true);
            TrainSettings one = settings(3, 0, 0);
            var settings = new TrainSettings(3, 0, false, one.schedule(), one.adamW(), 0.1, 1, null, 0, 0, 0, false, 3)
                    .packed(new Packing(11, false, false));
            try (Trainer trainer = new Trainer(model, settings, lines, Replay.NONE, List.of())) {
                norms.add(trainer.step(0).gradNorm());
                assertThat(trainer.passes()).isEqualTo(2);
            }
        }
        assertThat(norms.get(1)).isEqualTo(norms.get(0));
    }

    /** Pairs in two languages: at the start the loss is the reference's own inconsistency. */
    @Test
    void twoLanguagesStartAtTheirInconsistency() {
        List<Example.TwoLanguages> lines = List.of(
                new Example.TwoLanguages(PAIRS.get(0), PAIRS.get(1), 1),
                new Example.TwoLanguages(PAIRS.get(2), PAIRS.get(0), 0.5),
                new Example.TwoLanguages(PAIRS.get(1), PAIRS.get(1), 2));
        TrainSettings one = settings(3, 0, 0);
        var settings = new TrainSettings(
                3,
                0,
                true,
                one.schedule(),
                one.adamW(),
                0.1,
                1,
                null,
                new ConsistencyLoss.DirectConsistency(0.5),
                0.5,
                1,
                0,
                0,
                false,
                3);
        CausalLm model = TinyModel.random(new ScalarBackend(DType.F64), true);
        List<Trainer.Reference> references = References.of(model, lines, null);
        try (Trainer trainer = new Trainer(model, settings, lines, Replay.NONE, references)) {
            double expected = 0;
            for (int i = 0; i < lines.size(); i++) {
                double first = Math.abs(ratio(references.get(i)));
                double second = Math.abs(ratio(references.get(i).second()));
                expected += lines.get(i).weight() / 3 * (2 * second + 0.5 * first);
            }
            StepLog log = trainer.step(0);
            assertThat(log.loss()).isCloseTo(expected, within(1e-12));
            assertThat(log.preference().margins()).isCloseTo(0, within(1e-12));
        }
    }

    private static double ratio(Trainer.Reference reference) {
        return reference.chosen() - reference.rejected();
    }

    @Test
    void weightsAndSortedPairsExcludeEachOther() {
        List<Example.Preference> lines =
                List.of(new Example.Preference(new int[] {1}, new int[] {2}, new int[] {3}, 2));
        TrainSettings one = settings(1, 0, 0);
        TrainSettings sorting = new TrainSettings(
                1,
                0,
                false,
                one.schedule(),
                one.adamW(),
                0,
                1,
                PreferenceLoss.of(List.of("sft", "aot"), List.of(), LossParameters.of(0.1, 0)),
                0.1,
                0,
                0,
                false,
                3);
        CausalLm model = TinyModel.random(new ScalarBackend(DType.F64), true);
        assertThatThrownBy(
                        () -> new Trainer(model, sorting, lines, Replay.NONE, List.of(Trainer.Reference.NONE)).close())
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("weights");
    }

    /** A pair whose prompt was cut to two lengths: at the start its gradient is that of its two sequences as documents. */
    @Test
    void promptsThatWereCutApart() {
        Example.Preference pair = new Truncation(6, Truncation.Mode.KEEP_END, 0, 0)
                .of(new Example.Preference(new int[] {3, 1, 4, 1}, new int[] {5, 9, 2, 0}, new int[] {6, 5, 0}, 1));
        assertThat(pair.prompt()).containsExactly(4, 1);
        assertThat(pair.rejectedPrompt()).containsExactly(1, 4, 1);
        CausalLm model = TinyModel.random(new ScalarBackend(DType.F64), true);
        double expected = firstStep(
                        new Example.Document(new int[] {4, 1, 5, 9, 2, 0}, 2, 2 * 0.25 * 4),
                        new Example.Document(new int[] {1, 4, 1, 6, 5, 0}, 3, -2 * 0.25 * 3))
                .gradNorm();
        List<Example.Preference> lines = List.of(pair);
        try (Trainer trainer =
                new Trainer(model, settings(1, 0, 0), lines, Replay.NONE, References.of(model, lines, null))) {
            StepLog step = trainer.step(0);
            assertThat(step.loss()).isCloseTo(Math.log(2), within(1e-12));
            assertThat(step.gradNorm()).isCloseTo(expected, within(1e-12));
            assertThat(step.numTokens()).isEqualTo(12);
        }
    }

    @Test
    void weightOfALineScalesItsLoss() {
        StepLog three = firstStep(new Example.Document(new int[] {3, 1, 4}, 1, 3));
        StepLog one = firstStep(new Example.Document(new int[] {3, 1, 4}, 1, 1));
        assertThat(three.loss()).isCloseTo(3 * one.loss(), within(1e-12));
        assertThat(three.gradNorm()).isCloseTo(3 * one.gradNorm(), within(1e-12));
    }

    /** Tokens 1, 2 and 4 count: the same as all from 1 on, less those from 3 on, and 4 again. */
    @Test
    void onlyMarkedTokensAreLearnt() {
        int[] tokens = {3, 1, 4, 1, 5};
        StepLog marked = firstStep(new Example.Document(tokens, 1, BitSet.valueOf(new long[] {0b10110}), 1));
        StepLog parts = firstStep(
                new Example.Document(tokens, 1, 4),
                new Example.Document(tokens, 3, -2),
                new Example.Document(tokens, 4, 1));
        assertThat(marked.loss()).isCloseTo(parts.loss(), within(1e-12));
        assertThat(marked.gradNorm()).isCloseTo(parts.gradNorm(), within(1e-12));
        assertThat(marked.loss())
                .isNotCloseTo(firstStep(new Example.Document(tokens, 1, 1)).loss(), within(1e-3));
    }

    private static StepLog firstStep(Example.Document... documents) {
        CausalLm model = TinyModel.random(new ScalarBackend(DType.F64), true);
        try (Trainer trainer =
                new Trainer(model, settings(documents.length, 0, 0), List.of(documents), Replay.NONE, List.of())) {
            return trainer.step(0);
        }
    }

    /** Looking at evaluation lines gives their loss and changes nothing. */
    @Test
    void heldLinesAreScoredAndNotTrainedOn() {
        List<Double> losses = new ArrayList<>();
        for (boolean looks : new boolean[] {false, true}) {
            CausalLm model = TinyModel.random(new ScalarBackend(DType.F64), true);
            try (Trainer trainer = new Trainer(
                    model,
                    settings(1, 0, 0),
                    PAIRS.subList(0, 1),
                    Replay.NONE,
                    References.of(model, PAIRS, null),
                    new Trainer.EvalLines(PAIRS, References.of(model, PAIRS, null)))) {
                if (looks) {
                    assertThat(trainer.evaluate().loss()).isCloseTo((1 + 0.5 + 2) / 3 * Math.log(2), within(1e-12));
                }
                trainer.step(0);
                losses.add(trainer.step(1).loss());
            }
        }
        assertThat(losses.get(0)).isEqualTo(losses.get(1));
    }

    @Test
    void resumedRunGivesTheBytesOfTheUninterruptedOne() throws IOException {
        Path whole = folder.resolve("whole");
        Path cut = folder.resolve("cut");
        run(whole, 9, Schedule.Kind.LINEAR, false, 9);
        run(cut, 9, Schedule.Kind.LINEAR, false, 5);
        assertThat(cut.resolve("checkpoint-4")).isDirectory();
        assertThat(cut.resolve("model.safetensors")).doesNotExist();
        run(cut, 9, Schedule.Kind.LINEAR, true, 9);
        assertThat(weights(cut)).isEqualTo(weights(whole));
        assertThat(Files.readAllLines(cut.resolve("metrics.jsonl"))).hasSize(9);
        assertThatThrownBy(() -> run(cut, 9, Schedule.Kind.LINEAR, false, 9))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("resume");
    }

    /** Where a rate would be another one the run is refused, and nothing is changed. */
    @Test
    void aRunIsMadeLongerWhereTheRatesOfItsStepsStay() throws IOException {
        Path whole = folder.resolve("whole");
        Path longer = folder.resolve("longer");
        run(whole, 9, Schedule.Kind.CONSTANT, false, 9);
        run(longer, 5, Schedule.Kind.CONSTANT, false, 5);
        byte[] shorter = weights(longer);
        assertThatThrownBy(() -> run(longer, 9, Schedule.Kind.LINEAR, true, 9))
                .isInstanceOf(CalmException.class)
                .hasMessageContainingAll(
                        "step 2 was taken at learning rate 0.003 (constant), now it would be 0.00269",
                        "(linear): steps 5 → 9");
        assertThatThrownBy(() -> run(longer, 3, Schedule.Kind.CONSTANT, true, 3))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("checkpoint-4: has more steps than the 3 of this run");
        assertThat(weights(longer)).isEqualTo(shorter);
        run(longer, 9, Schedule.Kind.CONSTANT, true, 9);
        assertThat(weights(longer)).isEqualTo(weights(whole)).isNotEqualTo(shorter);
        assertThat(Files.readAllLines(longer.resolve("metrics.jsonl"))).hasSize(9);
    }

    @Test
    void aStoppedRunLeavesACheckpointAtItsStep() throws IOException {
        Path whole = folder.resolve("whole");
        Path stopped = folder.resolve("stopped");
        run(whole, 9, Schedule.Kind.LINEAR, false, 9);
        for (int stop : new int[] {3, 4, 4, 7}) {
            assertThat(run(stopped, 9, Schedule.Kind.LINEAR, true, stop, true)).isFalse();
            assertThat(stopped.resolve("checkpoint-" + stop)).isDirectory();
            assertThat(stopped.resolve("checkpoint-" + (stop + 1))).doesNotExist();
            assertThat(stopped.resolve("model.safetensors")).doesNotExist();
        }
        run(stopped, 9, Schedule.Kind.LINEAR, true, 9);
        assertThat(weights(stopped)).isEqualTo(weights(whole));
    }

    private static byte[] weights(Path output) throws IOException {
        return Files.readAllBytes(output.resolve("model.safetensors"));
    }

    /** A line with a weight that is not finite: its step changes nothing, is counted, and the run goes on as if it had not been. */
    @Test
    void stepsThatAreNotFiniteAreSkipped() throws IOException {
        CausalLm model = TinyModel.random(new ScalarBackend(), true);
        List<Example.Document> lines = List.of(
                DOCUMENTS.get(0), new Example.Document(new int[] {2, 7, 1, 8}, 2, Double.NaN), DOCUMENTS.get(2));
        TrainSettings settings = documents(1);
        try (Trainer trainer = new Trainer(model, settings, lines, Replay.NONE, List.of())) {
            assertThat(trainer.step(0).skippedSteps()).isNull();
            List<byte[]> before = bytes(trainer);
            StepLog skipped = trainer.step(1);
            assertThat(skipped.isSkipped()).isTrue();
            assertThat(skipped.skippedSteps()).isEqualTo(1);
            assertThat(Json.compact(skipped))
                    .contains("\"skipped_steps\":1")
                    .doesNotContain("loss", "grad_norm", "NaN");
            assertThat(bytes(trainer)).usingRecursiveComparison().isEqualTo(before);
            StepLog after = trainer.step(2);
            assertThat(after.isSkipped()).isFalse();
            assertThat(after.skippedSteps()).isEqualTo(1);

            // AdamW's second step, whose bias correction does not count the skipped one.
            CausalLm other = TinyModel.random(new ScalarBackend(), true);
            Schedule same = settings.schedule();
            try (Trainer two =
                    new Trainer(other, settings, List.of(lines.get(0), lines.get(2)), Replay.NONE, List.of())) {
                two.step(0);
                assertThat(same.learningRate(1)).isEqualTo(same.learningRate(2));
                two.step(1);
                assertThat(bytes(trainer)).usingRecursiveComparison().isEqualTo(bytes(two));
            }

            // The count goes with a checkpoint.
            Path checkpoint = folder.resolve("checkpoint-3");
            ModelWriter writer = (to, type) -> Safetensors.write(
                    to.resolve("model.safetensors"), model.parameters().slab().tensors(), Map.of());
            RunIdentity run = new RunIdentity(Map.of(), Map.of(), settings.schedule(), Set.of(), Set.of());
            Checkpoint.save(checkpoint, new Checkpoint.Taken(3, BestModel.NONE), trainer, run, writer);
            try (Trainer resumed = new Trainer(model, settings, lines, Replay.NONE, List.of())) {
                Checkpoint.load(checkpoint, resumed, run, "model.safetensors");
                assertThat(resumed.step(4).skippedSteps()).isEqualTo(2);
            }
        }
    }

    /** The average of the weights, by hand; while it is in their place they are kept, and they come back. */
    @Test
    void averageOfTheWeights() {
        CausalLm model = TinyModel.random(new ScalarBackend(DType.F64), true);
        try (Trainer trainer = new Trainer(model, documents(0, 0.8), DOCUMENTS, Replay.NONE, List.of())) {
            Tensor weights = trainer.trained().weights().whole(DType.F64);
            Tensor average = trainer.trained().average().slab().whole(DType.F64);
            double[] expected = values(weights);
            for (int step = 0; step < 3; step++) {
                trainer.step(step);
                double[] now = values(weights);
                Arrays.setAll(expected, i -> 0.8 * expected[i] + 0.2 * now[i]);
            }
            double[] last = values(weights);
            assertThat(values(average)).containsExactly(expected, within(1e-15));
            assertThat(last).isNotEqualTo(expected);
            trainer.trained().average().inPlaceOf(trainer.trained().weights(), () -> {
                assertThat(values(weights)).containsExactly(expected, within(1e-15));
                assertThat(values(average)).isEqualTo(last);
            });
            assertThat(values(weights)).isEqualTo(last);
        }
    }

    private static double[] values(Tensor row) {
        double[] values = new double[(int) row.size()];
        Arrays.setAll(values, row::get);
        return values;
    }

    @Test
    void tooManySkippedStepsInARowEndTheRun() {
        CausalLm model = TinyModel.random(new ScalarBackend(), true);
        List<Example.Document> lines = List.of(new Example.Document(new int[] {2, 7, 1, 8}, 2, Double.NaN));
        try (Trainer trainer = new Trainer(model, documents(2), lines, Replay.NONE, List.of())) {
            trainer.step(0);
            trainer.step(1);
            assertThatThrownBy(() -> trainer.step(2))
                    .isInstanceOf(CalmException.class)
                    .hasMessageContaining("step 3: loss NaN")
                    .hasMessageContaining("as in the 2 before it")
                    .hasMessageContaining("maxSkippedSteps")
                    .extracting(e -> ((CalmException) e).kind())
                    .isEqualTo(CalmException.Kind.FAILED);
        }
    }

    private static List<byte[]> bytes(Trainer trainer) {
        return Stream.of(
                        trainer.trained().weights().tensors(),
                        trainer.trained().optimizer().saved())
                .flatMap(Collection::stream)
                .map(tensor -> tensor.segment().toArray(ValueLayout.JAVA_BYTE))
                .toList();
    }

    /** One document a step in order, at a constant rate. */
    private static TrainSettings documents(int maxSkipped) {
        return documents(maxSkipped, 0);
    }

    private static TrainSettings documents(int maxSkipped, double emaDecay) {
        return new TrainSettings(
                1,
                0,
                false,
                new Schedule(Schedule.Kind.CONSTANT, 1e-2, 0, 0, 30),
                AdamW.DEFAULT,
                0.1,
                1,
                null,
                null,
                null,
                0,
                1,
                0,
                0,
                false,
                3,
                new UpdateSettings(maxSkipped, ParameterGroups.NONE, emaDecay, OptimizerMemory.F32),
                Packing.STANDARD);
    }

    /** Trains until {@code stop} steps are taken, as if killed there. */
    private static void run(Path output, int steps, Schedule.Kind kind, boolean resume, int stop) throws IOException {
        run(output, steps, kind, resume, stop, false);
    }

    /** @param asked whether it is asked to stop there, or killed */
    private static boolean run(Path output, int steps, Schedule.Kind kind, boolean resume, int stop, boolean asked)
            throws IOException {
        Files.createDirectories(output);
        CausalLm model = TinyModel.random(new ScalarBackend(), true);
        Schedule schedule = new Schedule(kind, 3e-3, 0.1, 0, steps);
        TrainingRun run = new TrainingRun(
                output,
                "model.safetensors",
                new RunIdentity(Map.of("steps", steps, "seed", 3), Map.of(), schedule, Set.of("steps"), Set.of()),
                Map.of(),
                steps,
                2,
                0,
                EvaluationPlan.NONE,
                1,
                resume);
        ModelWriter writer = (to, type) -> Safetensors.write(
                to.resolve("model.safetensors"), model.parameters().slab().tensors(), Map.of());
        try (Trainer trainer = new Trainer(
                model, settings(2, 0, 2, schedule), PAIRS, Replay.of(DOCUMENTS), References.of(model, PAIRS, null))) {
            int[] taken = {Checkpoint.newest(output) == null ? 0 : number(Checkpoint.newest(output))};
            return run.run(trainer, writer, new TrainingRun.Watcher() {
                @Override
                public void took(StepLog log) {
                    taken[0] = log.step();
                    if (!asked && log.step() == stop && stop < steps) {
                        throw new Killed();
                    }
                }

                @Override
                public boolean wantsToStop() {
                    return asked && taken[0] == stop;
                }
            });
        } catch (Killed e) {
            // As kill -9 would: nothing is cleaned up.
            return false;
        }
    }

    private static int number(Path checkpoint) {
        return Integer.parseInt(checkpoint.getFileName().toString().substring("checkpoint-".length()));
    }

    private static final class Killed extends RuntimeException {
        private static final long serialVersionUID = 1;
    }

    private static TrainSettings settings(int batchSize, int microBatchSize, int replay) {
        return settings(batchSize, microBatchSize, replay, new Schedule(Schedule.Kind.LINEAR, 3e-3, 0.1, 0, 30));
    }

    private static TrainSettings settings(int batchSize, int microBatchSize, int replay, Schedule schedule) {
        return new TrainSettings(
                batchSize,
                microBatchSize,
                true,
                schedule,
                AdamW.DEFAULT,
                0.1,
                1,
                new PreferenceLoss.DpoSigmoid(0.5, 0),
                0.5,
                replay,
                0.7,
                false,
                3);
    }
}
