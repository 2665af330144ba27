package org.calm4j.engine.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Stream;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;
import org.calm4j.engine.io.Safetensors;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.TinyModel;
import org.calm4j.engine.op.AdamW;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.scalar.ScalarBackend;
import org.calm4j.engine.op.simd.SimdBackend;
import org.calm4j.engine.ranks.Ranks;
import org.calm4j.engine.ranks.RanksInThreads;
import org.calm4j.engine.tensor.Tensor;
import org.calm4j.engine.train.division.Division;
import org.calm4j.engine.train.optim.Muon;
import org.calm4j.engine.train.optim.Optimizer;
import org.calm4j.engine.train.optim.OptimizerMemory;
import org.calm4j.engine.train.optim.ParameterGroups;
import org.calm4j.engine.train.optim.PlainAdamW;
import org.calm4j.engine.train.optim.Schedule;
import org.calm4j.engine.train.optim.ScheduleFreeAdamW;
import org.calm4j.engine.train.optim.UpdateSettings;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What all optimizers promise, and what Muon and Schedule-Free AdamW do. {@link OptimizerOracleTest} has their values. */
final class OptimizerTest {
    private static final List<Example.Document> DOCUMENTS = List.of(
            new Example.Document(new int[] {3, 1, 4, 1, 5, 9, 2}, 1, 1),
            new Example.Document(new int[] {2, 7, 1, 8}, 2, 1),
            new Example.Document(new int[] {1, 6, 1, 8, 0}, 3, 1),
            new Example.Document(new int[] {1, 4, 1, 4, 2, 1, 3}, 2, 1),
            new Example.Document(new int[] {1, 7, 3, 2}, 1, 1));
    private static final int STEPS = 4;
    private static final Schedule CONSTANT = new Schedule(Schedule.Kind.CONSTANT, 3e-2, 0, 2, STEPS);

    @TempDir
    private Path folder;

    private static Optimizer optimizer(Optimizer.Kind kind) {
        return switch (kind) {
            case ADAMW -> new PlainAdamW();
            case MUON -> new Muon(0.95, Muon.AdjustRate.MATCH_RMS_ADAMW, 1e-2);
            case SCHEDULE_FREE_ADAMW -> new ScheduleFreeAdamW(0, 2);
        };
    }

    private static TrainSettings settings(Optimizer.Kind kind) {
        return settings(CONSTANT, new UpdateSettings(0, ParameterGroups.NONE, 0, OptimizerMemory.F32, optimizer(kind)));
    }

    private static TrainSettings settings(Schedule schedule, UpdateSettings update) {
        return new TrainSettings(
                3,
                1,
                true,
                schedule,
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
                update,
                Packing.STANDARD);
    }

    private static Trainer trainer(CausalLm model, TrainSettings settings, Division division) {
        return new Trainer(
                model,
                settings,
                DOCUMENTS,
                Replay.NONE,
                List.of(),
                new Trainer.EvalLines(DOCUMENTS, List.of()),
                division);
    }

    /** All that a trainer has after its steps. */
    private static List<ByteBuffer> train(Optimizer.Kind kind, CausalLm model, Division division, boolean evaluates) {
        try (Trainer trainer = trainer(model, settings(kind), division)) {
            for (int step = 0; step < STEPS; step++) {
                trainer.step(step);
                if (evaluates) {
                    trainer.evaluate();
                }
            }
            return Stream.of(
                            trainer.trained().weights().tensors(),
                            trainer.trained().optimizer().saved())
                    .flatMap(Collection::stream)
                    .map(OptimizerTest::bytes)
                    .toList();
        }
    }

    private static ByteBuffer bytes(Tensor tensor) {
        return ByteBuffer.wrap(tensor.segment().toArray(ValueLayout.JAVA_BYTE));
    }

    @ParameterizedTest
    @EnumSource
    void threadsDecideNoBits(Optimizer.Kind kind) {
        for (String model : List.of("llama", "gpt2")) {
            try (Backend one = new SimdBackend(1);
                    Backend three = new SimdBackend(3)) {
                assertThat(train(kind, TinyModel.random(three, model), Division.NONE, false))
                        .isEqualTo(train(kind, TinyModel.random(one, model), Division.NONE, false));
                assertThat(train(kind, TinyModel.withLora(three, model, 0.2), Division.NONE, false))
                        .isEqualTo(train(kind, TinyModel.withLora(one, model, 0.2), Division.NONE, false));
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void ranksAndEvaluationsDecideNoBits(Optimizer.Kind kind) {
        Function<Ranks, List<ByteBuffer>> run = ranks ->
                train(kind, TinyModel.random(new ScalarBackend(), true), new Division(4, ranks), ranks.size() == 2);
        List<ByteBuffer> one = run.apply(Ranks.alone());
        assertThat(RanksInThreads.run(2, run))
                .allSatisfy(each -> assertThat(each).isEqualTo(one));
    }

    /** The plan is what is taken. */
    @ParameterizedTest
    @EnumSource
    void memoryIsPlanned(Optimizer.Kind kind) {
        Backend backend = new ScalarBackend();
        for (CausalLm model : List.of(
                TinyModel.random(backend, true), TinyModel.random(backend, "gpt2"), TinyModel.withLora(backend, 0))) {
            try (Trainer trainer = trainer(model, settings(kind), Division.NONE)) {
                // An empty buffer has a byte.
                assertThat(trainer.trained().optimizer().bytes())
                        .isCloseTo(trainer.memory().moments(), within(2L))
                        .isPositive();
            }
        }
    }

    /** A run that is stopped after two steps ends with the bytes of one that is not. */
    @ParameterizedTest
    @EnumSource
    void goesOnFromACheckpoint(Optimizer.Kind kind) {
        Path whole = folder.resolve("whole");
        Path cut = folder.resolve("cut");
        run(kind, whole, false, STEPS, EvaluationPlan.NONE);
        run(kind, cut, false, 2, EvaluationPlan.NONE);
        assertThat(cut.resolve("model.safetensors")).doesNotExist();
        run(kind, cut, true, STEPS, EvaluationPlan.NONE);
        for (String file : List.of(
                "model.safetensors",
                "checkpoint-2/optimizer.safetensors",
                "checkpoint-4/model.safetensors",
                "checkpoint-4/optimizer.safetensors",
                "checkpoint-4/trainer_state.json")) {
            assertThat(cut.resolve(file)).hasSameBinaryContentAs(whole.resolve(file));
        }
        assertThat(whole.resolve("model.safetensors"))
                .hasSameBinaryContentAs(whole.resolve("checkpoint-4/model.safetensors"));
    }

    /** Schedule-Free's checkpoint has the model x, and y and z, from which training goes on. */
    @Test
    void theModelIsTheAverage() {
        run(Optimizer.Kind.SCHEDULE_FREE_ADAMW, folder, false, STEPS, EvaluationPlan.NONE);
        // Heights of the learning rate 0, 1/2, 1 and 1.
        assertThat(folder.resolve("checkpoint-4/trainer_state.json"))
                .content()
                .contains("\"optimizer\" : {\n    \"lr_max\" : 1.0,\n    \"weight_sum\" : 2.25\n  }");
        try (Safetensors model = Safetensors.open(folder.resolve("model.safetensors"));
                Safetensors state = Safetensors.open(folder.resolve("checkpoint-4/optimizer.safetensors"))) {
            double apart = 0;
            for (Tensor x : model.tensors().values()) {
                Tensor y = state.tensors().get("weight." + x.name());
                Tensor z = state.tensors().get("z." + x.name());
                for (long i = 0; i < x.size(); i++) {
                    assertThat(y.get(i)).isCloseTo(0.1 * z.get(i) + 0.9 * x.get(i), within(1e-6));
                    apart = Math.max(apart, Math.abs(z.get(i) - x.get(i)));
                }
            }
            assertThat(apart).isGreaterThan(1e-3);
        }
    }

    /** With the model of the best evaluation, which is not the last. */
    @ParameterizedTest
    @EnumSource
    void theBestModelIsThatOfItsCheckpoint(Optimizer.Kind kind) {
        EvaluationPlan largest = new EvaluationPlan(1, "loss", true, true, 0, 0);
        run(kind, folder, false, STEPS, largest);
        List<Path> kept = Checkpoint.all(folder);
        assertThat(kept).hasSizeGreaterThanOrEqualTo(2);
        assertThat(folder.resolve("model.safetensors"))
                .hasSameBinaryContentAs(kept.getFirst().resolve("model.safetensors"));
    }

    private static void run(Optimizer.Kind kind, Path output, boolean resume, int stop, EvaluationPlan evaluation) {
        CausalLm model = TinyModel.random(new ScalarBackend(), true);
        TrainingRun run = new TrainingRun(
                output,
                "model.safetensors",
                new RunIdentity(Map.of(), Map.of(), CONSTANT, Set.of(), Set.of()),
                Map.of(),
                STEPS,
                2,
                0,
                evaluation,
                1,
                resume);
        ModelWriter writer = (to, type) -> Safetensors.write(
                to.resolve("model.safetensors"), model.parameters().slab().tensors(), Map.of());
        int[] taken = new int[1];
        output.toFile().mkdirs();
        try (Trainer trainer = trainer(model, settings(kind), Division.NONE)) {
            run.run(trainer, writer, new TrainingRun.Watcher() {
                @Override
                public void took(StepLog log) {
                    taken[0] = log.step();
                }

                @Override
                public boolean wantsToStop() {
                    return taken[0] == stop && stop < STEPS;
                }
            });
        }
    }

    @Test
    void whatDoesNotGoTogetherIsRefused() {
        for (Optimizer.Kind kind : List.of(Optimizer.Kind.MUON, Optimizer.Kind.SCHEDULE_FREE_ADAMW)) {
            UpdateSettings packed =
                    new UpdateSettings(0, ParameterGroups.NONE, 0, OptimizerMemory.EIGHT_BIT, optimizer(kind));
            assertThat(refusal(settings(CONSTANT, packed), Division.NONE))
                    .isEqualTo("--optimizer-memory does not go with --optimizer " + kind);
            assertThat(refusal(settings(kind), new Division(2, Ranks.alone(), true)))
                    .startsWith("--zero does not go with --optimizer " + kind);
        }
        Optimizer free = optimizer(Optimizer.Kind.SCHEDULE_FREE_ADAMW);
        assertThat(refusal(
                        settings(CONSTANT, new UpdateSettings(0, ParameterGroups.NONE, 0.9, OptimizerMemory.F32, free)),
                        Division.NONE))
                .startsWith("--ema-decay does not go with");
        assertThat(refusal(
                        settings(
                                new Schedule(Schedule.Kind.LINEAR, 1, 0, 0, 1),
                                new UpdateSettings(0, ParameterGroups.NONE, 0, OptimizerMemory.F32, free)),
                        Division.NONE))
                .startsWith("--lr-scheduler must be constant with --optimizer schedule_free_adamw");
    }

    private static String refusal(TrainSettings settings, Division division) {
        String[] message = new String[1];
        assertThatThrownBy(() -> new Trained(TinyModel.random(new ScalarBackend(), true), settings, division))
                .isInstanceOfSatisfying(CalmException.class, e -> {
                    assertThat(e.kind()).isEqualTo(CalmException.Kind.USAGE);
                    message[0] = e.message(Setting::flag);
                });
        return message[0];
    }

    /** Rates by name hold before AdamW's own, which holds for what is not a matrix of a block. */
    @Test
    void whatMuonLeavesHasItsOwnRate() {
        CausalLm model = TinyModel.random(new ScalarBackend(), false);
        List<Tensor> weights = List.copyOf(model.parameters().slab().tensors());
        Muon muon = new Muon(0.95, Muon.AdjustRate.ORIGINAL, 0.5);
        ParameterGroups named = new ParameterGroups(Map.of("lm_head", 0.25), Map.of(), 1);
        List<String> rates = new ArrayList<>();
        for (ParameterGroups.Group group :
                named.groups(weights, CONSTANT, weight -> muon.peak(model.config(), weight))) {
            rates.add(group.name() + " " + group.schedule().peak() + " "
                    + group.members().size());
        }
        assertThat(rates).containsExactlyInAnyOrder("adamw 0.5 6", "null 0.03 14", "lm_head 0.25 1");
    }
}
