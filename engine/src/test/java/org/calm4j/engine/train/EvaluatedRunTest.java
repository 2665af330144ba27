package org.calm4j.engine.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Jsonl;
import org.calm4j.engine.io.Safetensors;
import org.calm4j.engine.loss.PreferenceLoss;
import org.calm4j.engine.loss.UnpairedLoss;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.TinyModel;
import org.calm4j.engine.op.AdamW;
import org.calm4j.engine.op.scalar.ScalarBackend;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.train.optim.OptimizerMemory;
import org.calm4j.engine.train.optim.ParameterGroups;
import org.calm4j.engine.train.optim.Schedule;
import org.calm4j.engine.train.optim.UpdateSettings;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Runs that are evaluated on other lines than those of training: which checkpoints are left, which model is the result, and when it ends. */
final class EvaluatedRunTest {
    private static final List<Example.Preference> PAIRS = List.of(
            new Example.Preference(new int[] {5, 6}, new int[] {7, 8, 0}, new int[] {9, 0}, 1),
            new Example.Preference(new int[] {3}, new int[] {4, 0}, new int[] {4, 9, 0}, 1));
    /** One that is trained on, and the contrary of the other: the loss falls, then it rises. */
    private static final List<Example.Preference> OTHERS = List.of(
            new Example.Preference(new int[] {5, 6}, new int[] {7, 8, 0}, new int[] {9, 0}, 3),
            new Example.Preference(new int[] {3}, new int[] {4, 9, 0}, new int[] {4, 0}, 1));

    private static final int STEPS = 24;

    @TempDir
    private Path folder;

    @Test
    void theBestIsThatOfTransformers() {
        EvaluationPlan plan = new EvaluationPlan(2, "loss", false, true, 2, 0.1);
        // Value, best so far, its step, evaluations waited: less than the threshold is better and does not count.
        double[][] table = {
            {1, 1, 2, 0}, {0.95, 0.95, 4, 1}, {Double.NaN, 0.95, 4, 2}, {0.8, 0.8, 8, 0}, {0.9, 0.8, 8, 1}
        };
        BestModel best = BestModel.NONE;
        for (int i = 0; i < table.length; i++) {
            best = best.after(plan, 2 * i + 2, table[i][0]);
            assertThat(best).isEqualTo(new BestModel(table[i][1], (int) table[i][2], (int) table[i][3], 2));
            assertThat(best.endsRun(plan)).isEqualTo(table[i][3] >= 2);
        }
        EvaluationPlan greater = new EvaluationPlan(2, "rewards/margins", true, true, 0, 0);
        assertThat(BestModel.NONE.after(greater, 1, 3).after(greater, 2, 4).after(greater, 3, 4))
                .isEqualTo(new BestModel(4.0, 2, 1, 0));
    }

    @Test
    void theRunEndsEarlyWithItsBestModel() throws IOException {
        EvaluationPlan plan = new EvaluationPlan(2, "loss", false, true, 2, 0);
        Path output = folder.resolve("early");
        run(output, plan, 0, 0, STEPS);
        List<Map<String, Object>> lines = Jsonl.readMaps(output.resolve("metrics.jsonl"));
        List<Double> losses = new ArrayList<>();
        for (Map<String, Object> line : lines) {
            boolean evaluated = (int) line.get("step") % 2 == 0;
            assertThat(line.containsKey("eval_loss")).isEqualTo(evaluated);
            assertThat(line.containsKey("eval_rewards/accuracies")).isEqualTo(evaluated);
            assertThat(line).containsKey("rewards/margins").doesNotContainKey("skipped");
            if (evaluated) {
                losses.add((double) line.get("eval_loss"));
            }
        }
        int best = IntStream.range(0, losses.size())
                .reduce((a, b) -> losses.get(b) < losses.get(a) ? b : a)
                .orElseThrow();
        assertThat(best).as("%s", losses).isBetween(1, STEPS / 2 - 3);
        assertThat(losses).hasSize(best + 3);
        // The best one is kept alone, and is the result.
        assertThat(checkpoints(output)).containsExactly(2 * best + 2);
        assertThat(weights(output)).isEqualTo(weights(output.resolve("checkpoint-" + (2 * best + 2))));
        // Without evaluation the same steps are the same.
        Path without = folder.resolve("without");
        run(without, EvaluationPlan.NONE, 2 * best + 2, 0, STEPS);
        assertThat(weights(without.resolve("checkpoint-" + (2 * best + 2)))).isEqualTo(weights(output));
        // The moving average is of all steps taken.
        CausalLm model = TinyModel.random(new ScalarBackend(), true);
        try (Trainer trainer = trainer(model, OTHERS)) {
            for (int step = 0; step < lines.size(); step++) {
                trainer.step(step);
            }
            Path average = Files.createDirectories(folder.resolve("average"));
            trainer.trained().average().inPlaceOf(trainer.trained().weights(), () -> writer(model)
                    .write(average, null));
        }
        assertThat(weights(output.resolve("ema")))
                .isEqualTo(weights(folder.resolve("average")))
                .isNotEqualTo(weights(output));
    }

    /** Killed after any step and continued, the run ends where it would have, with the same bytes. */
    @Test
    void aKilledRunEndsAsIfItHadNotBeen() throws IOException {
        EvaluationPlan plan = new EvaluationPlan(2, "loss", false, true, 3, 1e-3);
        Path whole = folder.resolve("whole");
        run(whole, plan, 3, 2, STEPS);
        List<Map<String, Object>> lines = lines(whole);
        assertThat(lines).hasSizeBetween(8, STEPS - 1);
        Path cut = folder.resolve("cut");
        for (int stop = 1; stop <= lines.size(); stop++) {
            run(cut, plan, 3, 2, stop);
            assertThat(checkpoints(cut)).hasSizeLessThanOrEqualTo(3);
        }
        run(cut, plan, 3, 2, STEPS);
        assertThat(weights(cut)).isEqualTo(weights(whole));
        assertThat(weights(cut.resolve("ema"))).isEqualTo(weights(whole.resolve("ema")));
        assertThat(lines(cut)).isEqualTo(lines);
        assertThat(checkpoints(cut)).isEqualTo(checkpoints(whole)).hasSize(3);

        // More patience goes on; less could have ended it before.
        run(cut, new EvaluationPlan(2, "loss", false, true, 5, 1e-3), 3, 2, STEPS);
        assertThat(lines(cut)).hasSizeGreaterThan(lines.size());
        EvaluationPlan less = new EvaluationPlan(2, "loss", false, true, 1, 1e-3);
        assertThatThrownBy(() -> run(cut, less, 3, 2, STEPS))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("early_stopping_patience 5, now it is 1");
    }

    /** What follows a step has written its part before the checkpoint, after which the step is not taken again. */
    @Test
    void aCheckpointComesAfterWhoFollows() throws IOException {
        Path output = folder.resolve("followed");
        run(output, EvaluationPlan.NONE, 2, 0, 4);
        assertThat(checkpoints(output)).containsExactly(2);
    }

    @Test
    void aMetricThatThereIsNotIsNamedBeforeTheFirstStep() {
        EvaluationPlan plan = new EvaluationPlan(2, "rewards/margin", true, true, 0, 0);
        assertThatThrownBy(() -> plan.check(true))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining(
                        "metricForBestModel rewards/margin is not a metric here; known: loss, rewards/chosen");
        assertThatThrownBy(() -> new EvaluationPlan(2, "rewards/margins", true, true, 0, 0).check(false))
                .hasMessageEndingWith("known: loss, entropy, mean_token_accuracy");
        new EvaluationPlan(2, "rewards/margins", true, true, 0, 0).check(true);
        new EvaluationPlan(2, "logits/chosen", true, true, 0, 0).check(true);
    }

    /** All of TRL's names, with the values of a step on the same lines: those are of the weights before its update. */
    @ParameterizedTest
    @EnumSource
    void anEvaluationSaysAllThatAStepSays(Kind kind) {
        CausalLm model = TinyModel.random(new ScalarBackend(DType.F64), true);
        List<? extends Example> lines = kind.lines();
        boolean single = kind == Kind.SINGLE_COMPLETIONS;
        List<? extends Example> trained = single ? Mismatched.trained(lines, kind.settings(), 3, 64) : lines;
        List<? extends Example> held = single ? Mismatched.evaluated(lines, 2, 64) : lines;
        try (Trainer trainer = trainer(model, kind.settings(), trained, held)) {
            trainer.step(0);
            StepLog log = trainer.step(1).with(trainer.evaluate());
            StepLog next = trainer.step(2);
            Map<?, ?> evaluated = Json.mapper().convertValue(log, Map.class);
            Map<?, ?> stepped = Json.mapper().convertValue(next, Map.class);
            List<String> names = new ArrayList<>(List.of("loss", "entropy", "mean_token_accuracy"));
            if (kind != Kind.DOCUMENTS) {
                names.addAll(List.of("rewards/chosen", "rewards/rejected", "rewards/margins"));
                names.addAll(List.of("logps/chosen", "logps/rejected", "logits/chosen", "logits/rejected"));
                names.add(kind == Kind.PAIRS ? "rewards/accuracies" : "kl");
            }
            assertThat(evaluated.keySet().stream()
                            .map(String::valueOf)
                            .filter(name -> name.startsWith("eval_"))
                            .map(name -> name.substring(5)))
                    .containsExactlyInAnyOrderElementsOf(names);
            for (String name : names) {
                assertThat((double) evaluated.get("eval_" + name))
                        .as(name)
                        .isCloseTo((double) stepped.get(name), within(1e-12));
            }
        }
    }

    /** What is evaluated, two lines a step. */
    enum Kind {
        PAIRS,
        DOCUMENTS,
        SINGLE_COMPLETIONS;

        List<? extends Example> lines() {
            return switch (this) {
                case PAIRS -> EvaluatedRunTest.PAIRS;
                case DOCUMENTS ->
                    List.of(
                            new Example.Document(new int[] {3, 1, 4, 1}, 1, 1),
                            new Example.Document(new int[] {2, 7}, 1, 1));
                case SINGLE_COMPLETIONS ->
                    List.of(
                            Example.Unpaired.of(new int[] {5, 6}, new int[] {7, 8, 0}, true, 1),
                            Example.Unpaired.of(new int[] {3}, new int[] {4, 9}, false, 1));
            };
        }

        TrainSettings settings() {
            return EvaluatedRunTest.settings(
                    this == PAIRS ? new PreferenceLoss.DpoSigmoid(0.5, 0) : null,
                    this == SINGLE_COMPLETIONS
                            ? UnpairedLoss.of("kto", new UnpairedLoss.Parameters(0.5, 1.2, 0.7))
                            : null);
        }
    }

    /** Neither dropout, nor how lines of evaluation are put into passes, touches anything. */
    @Test
    void evaluationHasNoDropoutAndLeavesThePassesAlone() {
        List<Double> losses = new ArrayList<>();
        List<Double> steps = new ArrayList<>();
        Example.Preference longer =
                new Example.Preference(new int[] {1, 2, 3, 4, 5, 6, 7, 8, 9}, new int[] {4, 0}, new int[] {0}, 1);
        for (double dropout : new double[] {0, 0.5}) {
            for (List<Example.Preference> held : List.of(OTHERS, List.of(OTHERS.get(0), OTHERS.get(1), longer))) {
                CausalLm model = TinyModel.withLora(new ScalarBackend(DType.F64), dropout);
                try (Trainer trainer = trainer(model, held)) {
                    if (held == OTHERS) {
                        losses.add(trainer.evaluate().loss());
                        losses.add(trainer.evaluate().loss());
                    } else {
                        trainer.evaluate();
                    }
                    steps.add(trainer.step(0).gradNorm());
                    steps.add(trainer.step(1).loss());
                }
            }
        }
        assertThat(losses).allSatisfy(loss -> assertThat(loss).isCloseTo(losses.getFirst(), within(0.0)));
        assertThat(steps.subList(0, 2)).isEqualTo(steps.subList(2, 4));
        assertThat(steps.subList(4, 6)).isEqualTo(steps.subList(6, 8)).isNotEqualTo(steps.subList(0, 2));
    }

    private static List<Integer> checkpoints(Path output) {
        return Checkpoint.all(output).stream()
                .map(each -> Integer.parseInt(each.getFileName().toString().substring(Checkpoint.PREFIX.length())))
                .sorted()
                .toList();
    }

    private static List<Map<String, Object>> lines(Path output) {
        List<Map<String, Object>> lines = Jsonl.readMaps(output.resolve("metrics.jsonl"));
        lines.forEach(line -> line.remove("tokens_per_second"));
        return lines;
    }

    private static byte[] weights(Path output) throws IOException {
        return Files.readAllBytes(output.resolve("model.safetensors"));
    }

    private static void run(Path output, EvaluationPlan plan, int saveSteps, int limit, int stop) throws IOException {
        Files.createDirectories(output);
        CausalLm model = TinyModel.random(new ScalarBackend(), true);
        TrainingRun run = new TrainingRun(
                output,
                "model.safetensors",
                new RunIdentity(Map.of("seed", 3), Map.of(), settings().schedule(), Set.of(), Set.of()),
                Map.of(),
                STEPS,
                saveSteps,
                limit,
                plan,
                1,
                true);
        try (Trainer trainer = trainer(model, OTHERS)) {
            run.run(trainer, writer(model), log -> {
                if (log.step() == stop && stop < STEPS) {
                    throw new IllegalStateException("killed");
                }
            });
        } catch (IllegalStateException e) {
            assertThat(e).hasMessage("killed");
        }
    }

    private static ModelWriter writer(CausalLm model) {
        return (to, type) -> Safetensors.write(
                to.resolve("model.safetensors"), model.parameters().slab().tensors(), Map.of());
    }

    private static Trainer trainer(CausalLm model, List<Example.Preference> held) {
        return trainer(model, settings(), PAIRS, held);
    }

    private static Trainer trainer(
            CausalLm model, TrainSettings settings, List<? extends Example> lines, List<? extends Example> held) {
        return new Trainer(
                model,
                settings,
                lines,
                Replay.NONE,
                References.of(model, lines, null),
                new Trainer.EvalLines(held, References.of(model, held, null)));
    }

    private static TrainSettings settings() {
        return settings(new PreferenceLoss.DpoSigmoid(0.5, 0), null);
    }

    private static TrainSettings settings(PreferenceLoss pairs, UnpairedLoss unpaired) {
        return new TrainSettings(
                2,
                0,
                true,
                new Schedule(Schedule.Kind.CONSTANT, 1e-3, 0, 0, STEPS),
                AdamW.DEFAULT,
                0.1,
                1,
                pairs,
                null,
                unpaired,
                0.5,
                1,
                0,
                0,
                false,
                3,
                new UpdateSettings(0, ParameterGroups.NONE, 0.9, OptimizerMemory.F32),
                Packing.STANDARD);
    }
}
