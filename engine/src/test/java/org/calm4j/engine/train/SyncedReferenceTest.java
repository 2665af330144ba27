package org.calm4j.engine.train;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.LongStream;
import org.calm4j.engine.io.Safetensors;
import org.calm4j.engine.loss.PreferenceLoss;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.TinyModel;
import org.calm4j.engine.op.AdamW;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.scalar.ScalarBackend;
import org.calm4j.engine.op.simd.SimdBackend;
import org.calm4j.engine.tensor.Slab;
import org.calm4j.engine.train.optim.Schedule;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Steps with such a reference are in {@link ModelOracleTest#pairLosses}. */
final class SyncedReferenceTest {
    private static final List<Example.Preference> PAIRS = List.of(
            new Example.Preference(new int[] {5, 6}, new int[] {7, 8, 0}, new int[] {9, 0}, 1),
            new Example.Preference(new int[] {3}, new int[] {4, 0}, new int[] {4, 9, 0}, 0.5),
            new Example.Preference(new int[] {1, 2, 3}, new int[] {11}, new int[] {12}, 2));

    @TempDir
    private Path folder;

    @Test
    void mixesAtItsStepsAlone() {
        CausalLm start = TinyModel.random(new ScalarBackend(), true);
        try (SyncedReference reference = new SyncedReference(start, 0.25, 3)) {
            Slab trained = start.parameters().slab();
            List<Double> before = values(reference.slab());
            assertThat(before).isEqualTo(values(trained));
            trained.tensors().forEach(tensor -> tensor.set(0, tensor.get(0) + 4));
            reference.after(2, trained);
            assertThat(values(reference.slab())).isEqualTo(before);
            reference.after(3, trained);
            List<Double> policy = values(trained);
            List<Double> after = values(reference.slab());
            for (int i = 0; i < before.size(); i++) {
                float mixed = (float) (0.25 * policy.get(i) + 0.75 * before.get(i));
                assertThat(after.get(i)).isEqualTo(mixed);
            }
        }
    }

    /** A checkpoint between two updates has the reference. */
    @Test
    void resumesToTheSameBits() {
        List<Object> whole = run(0, 6, null);
        run(0, 3, folder.resolve("checkpoint-3"));
        assertThat(run(3, 6, folder.resolve("checkpoint-3"))).isEqualTo(whole.subList(3, whole.size()));
    }

    /** Losses and margins of the steps, then all weights; a checkpoint is read at the beginning if steps were taken, else written at the end. */
    private static List<Object> run(int from, int to, Path checkpoint) {
        List<Object> seen = new ArrayList<>();
        Backend backend = new SimdBackend(1);
        CausalLm model = TinyModel.random(backend, true);
        TrainSettings settings = new TrainSettings(
                2,
                1,
                true,
                new Schedule(Schedule.Kind.CONSTANT, 1e-2, 0, 0, 6),
                AdamW.DEFAULT,
                0.1,
                1,
                new PreferenceLoss.Ipo(0.5),
                0.5,
                0,
                0,
                false,
                3);
        var identity = new RunIdentity(Map.of(), Map.of(), settings.schedule(), Set.of(), Set.of());
        try (SyncedReference reference = new SyncedReference(model, 0.6, 2);
                Trainer trainer = new Trainer(
                        model,
                        settings,
                        PAIRS,
                        Replay.NONE,
                        Collections.nCopies(PAIRS.size(), Trainer.Reference.NONE))) {
            trainer.refer(reference);
            if (from > 0) {
                Checkpoint.load(checkpoint, trainer, identity, "model.safetensors");
            }
            for (int step = from; step < to; step++) {
                StepLog log = trainer.step(step);
                seen.add(List.of(log.loss(), log.preference().margins()));
            }
            seen.add(values(model.parameters().slab()));
            seen.add(values(reference.slab()));
            if (from == 0 && checkpoint != null) {
                Checkpoint.save(
                        checkpoint,
                        new Checkpoint.Taken(to, BestModel.NONE),
                        trainer,
                        identity,
                        (out, type) -> Safetensors.write(
                                out.resolve("model.safetensors"),
                                model.parameters().slab().tensors(),
                                Map.of()));
            }
        }
        return seen;
    }

    private static List<Double> values(Slab slab) {
        return slab.tensors().stream()
                .flatMap(tensor -> LongStream.range(0, tensor.size()).mapToObj(tensor::get))
                .toList();
    }
}
