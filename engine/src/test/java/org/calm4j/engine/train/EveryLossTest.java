package org.calm4j.engine.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.calm4j.engine.io.Safetensors;
import org.calm4j.engine.loss.ConsistencyLoss;
import org.calm4j.engine.loss.Divergence;
import org.calm4j.engine.loss.LossParameters;
import org.calm4j.engine.loss.PreferenceLoss;
import org.calm4j.engine.loss.UnpairedLoss;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.TinyModel;
import org.calm4j.engine.op.AdamW;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.scalar.ScalarBackend;
import org.calm4j.engine.op.simd.SimdBackend;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;
import org.calm4j.engine.train.optim.Schedule;
import org.calm4j.engine.train.optim.UpdateSettings;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Every loss, with every switch that changes it, and every way to compute its steps: what regroups sums gives the same numbers, what does not
 * gives the same bits.
 */
@Tag("slow")
final class EveryLossTest {
    private static final int STEPS = 3;
    /** After which a run is stopped. */
    private static final int STOP = 2;

    private static final double BETA = 0.5;

    private static final List<Example.Preference> PAIRS = List.of(
            pair(new int[] {5, 6, 7}, new int[] {7, 8, 0}, new int[] {9, 0}),
            pair(new int[] {3}, new int[] {4, 0}, new int[] {4, 9, 0}),
            pair(new int[] {5, 6, 7}, new int[] {11}, new int[] {12, 2}),
            pair(new int[] {8, 2, 13}, new int[] {11, 7, 7, 0}, new int[] {12, 3}),
            pair(new int[] {3}, new int[] {1, 7, 0}, new int[] {12}));
    private static final List<Example.Document> DOCUMENTS = List.of(
            new Example.Document(new int[] {3, 1, 4, 1, 5}, 1, 1),
            new Example.Document(new int[] {2, 7, 1, 8}, 2, 1),
            new Example.Document(new int[] {1, 6, 1}, 1, 0.5));

    @TempDir
    private Path folder;

    private static Example.Preference pair(int[] prompt, int[] chosen, int[] rejected) {
        return new Example.Preference(prompt, chosen, rejected, 1);
    }

    /**
     * A loss.
     *
     * @param follows whether the reference follows the model (TR-DPO)
     */
    private record Loss(
            String name,
            PreferenceLoss pairs,
            ConsistencyLoss both,
            UnpairedLoss unpaired,
            double ldAlpha,
            boolean follows) {
        static Loss of(String name, String types, LossParameters parameters) {
            List<String> all = List.of(types.split(","));
            return new Loss(name, PreferenceLoss.of(all, List.of(), parameters), null, null, 1, false);
        }

        static Loss of(UnpairedLoss loss) {
            return new Loss(loss.getClass().getSimpleName(), null, null, loss, 1, false);
        }

        static Loss of(ConsistencyLoss loss) {
            return new Loss(loss.getClass().getSimpleName(), null, loss, null, 1, false);
        }

        List<? extends Example> lines(TrainSettings settings) {
            if (both != null) {
                return IntStream.range(0, PAIRS.size())
                        .mapToObj(i -> new Example.TwoLanguages(PAIRS.get(i), PAIRS.get(4 - i), 1 + i))
                        .toList();
            }
            return unpaired != null
                    ? Mismatched.trained(Example.Unpaired.apart(PAIRS), settings, STEPS, 64)
                    : pairs != null ? PAIRS : DOCUMENTS;
        }

        TrainSettings settings(How how) {
            return new TrainSettings(
                    4,
                    how.lines,
                    true,
                    new Schedule(Schedule.Kind.CONSTANT, 1e-2, 0, 0, STEPS),
                    AdamW.DEFAULT,
                    0.1,
                    1,
                    pairs,
                    both,
                    unpaired,
                    BETA,
                    ldAlpha,
                    2,
                    0.7,
                    how.anew,
                    3,
                    UpdateSettings.DEFAULT,
                    new Packing(0, how.shared, false));
        }

        @Override
        public String toString() {
            return name;
        }
    }

    /**
     * How the steps are computed.
     *
     * @param lines a pass; 0: all of them
     * @param shared whether pairs of one prompt compute it once
     * @param anew whether the backward pass computes layers again
     * @param resumed whether the run is stopped and goes on
     */
    private record How(int lines, boolean shared, boolean anew, boolean resumed) {}

    private static final List<How> HOW = List.of(
            new How(0, false, false, false),
            new How(2, false, false, false),
            new How(1, false, false, false),
            new How(0, true, false, false),
            new How(2, true, false, false));

    private static LossParameters parameters(double smoothing, Divergence.Kind divergence, boolean weighting) {
        return new LossParameters(BETA, smoothing, new Divergence(divergence, 0.5), 0.1, 0.8, 0.6, weighting);
    }

    private static Stream<Loss> losses() {
        LossParameters plain = parameters(0, Divergence.Kind.REVERSE_KL, false);
        LossParameters smooth = parameters(0.1, Divergence.Kind.REVERSE_KL, false);
        List<Loss> all = new ArrayList<>();
        for (String name : PreferenceLoss.NAMES) {
            all.add(Loss.of(name, name, name.equals("exo_pair") ? smooth : plain));
        }
        all.add(Loss.of("smoothed", "sigmoid", smooth));
        all.add(Loss.of("two", "sigmoid,sft", plain));
        all.add(Loss.of("f-DPO", "sigmoid", parameters(0, Divergence.Kind.JS_DIVERGENCE, false)));
        all.add(Loss.of("WPO", "sigmoid", parameters(0, Divergence.Kind.REVERSE_KL, true)));
        PreferenceLoss sigmoid = PreferenceLoss.of(List.of("sigmoid"), List.of(), plain);
        all.add(new Loss("LD-DPO", sigmoid, null, null, 0.4, false));
        all.add(new Loss("TR-DPO", sigmoid, null, null, 1, true));
        all.add(Loss.of(new ConsistencyLoss.DirectConsistency(BETA)));
        all.add(Loss.of(new ConsistencyLoss.Both(sigmoid)));
        for (String name : UnpairedLoss.NAMES) {
            all.add(Loss.of(UnpairedLoss.of(name, new UnpairedLoss.Parameters(BETA, 1.2, 0.7))));
        }
        all.add(new Loss("documents", null, null, null, 1, false));
        return all.stream();
    }

    @ParameterizedTest
    @MethodSource("losses")
    void isTheSameHoweverItIsComputed(Loss loss) {
        List<Double> expected = run(loss, new ScalarBackend(DType.F64), new How(0, false, false, false));
        for (How how : HOW) {
            List<Double> regrouped = run(loss, new ScalarBackend(DType.F64), how);
            assertThat(regrouped).as("%s", how).hasSameSizeAs(expected);
            for (int i = 0; i < expected.size(); i++) {
                assertThat(regrouped.get(i)).as("%s", how).isCloseTo(expected.get(i), within(1e-8));
            }
            How other = new How(how.lines, how.shared, true, how.lines == 2);
            assertThat(run(loss, new ScalarBackend(DType.F64), other))
                    .as("%s", other)
                    .isEqualTo(regrouped);
        }
        // Vectors are slow before they are compiled.
        How how = new How(2, loss.both == null, false, false);
        How other = new How(2, how.shared, true, false);
        assertThat(run(loss, new SimdBackend(2), other)).isEqualTo(run(loss, new SimdBackend(1), how));
    }

    /** Losses, norms and margins of the steps, then all weights. */
    private List<Double> run(Loss loss, Backend backend, How how) {
        List<Double> seen = new ArrayList<>();
        try (backend) {
            if (how.resumed) {
                steps(loss, backend, how, 0, STOP, seen);
                steps(loss, backend, how, STOP, STEPS, seen);
            } else {
                steps(loss, backend, how, 0, STEPS, seen);
            }
        }
        return seen;
    }

    private void steps(Loss loss, Backend backend, How how, int from, int to, List<Double> seen) {
        Path checkpoint = folder.resolve("checkpoint-" + STOP);
        TrainSettings settings = loss.settings(how);
        var identity = new RunIdentity(Map.of(), Map.of(), settings.schedule(), Set.of(), Set.of());
        CausalLm model = TinyModel.random(backend, true);
        List<? extends Example> lines = loss.lines(settings);
        List<Trainer.Reference> references = lines == DOCUMENTS
                ? List.of()
                : References.of(model, lines, null, loss.ldAlpha, how.shared, done -> {});
        try (SyncedReference synced = loss.follows ? new SyncedReference(model, 0.6, 2) : null;
                Trainer trainer = new Trainer(model, settings, lines, Replay.of(DOCUMENTS), references)) {
            trainer.refer(synced);
            if (from > 0) {
                Checkpoint.load(checkpoint, trainer, identity, "model.safetensors");
            }
            for (int step = from; step < to; step++) {
                StepLog log = trainer.step(step);
                seen.add(log.loss());
                seen.add(log.gradNorm());
                if (log.preference() != null) {
                    seen.add(log.preference().margins());
                }
            }
            if (to < STEPS) {
                Checkpoint.save(
                        checkpoint,
                        new Checkpoint.Taken(to, BestModel.NONE),
                        trainer,
                        identity,
                        (out, type) -> Safetensors.write(
                                out.resolve("model.safetensors"),
                                model.parameters().slab().tensors(),
                                Map.of()));
                return;
            }
            for (Tensor weight : trainer.trained().weights().tensors()) {
                seen.addAll(DividedTraining.all(backend, weight));
            }
        } finally {
            model.parameters().slab().close();
        }
    }
}
