package org.calm4j.calm.stage;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.calm4j.calm.run.Progress;
import org.calm4j.calm.run.SameOnAll;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.ranks.Ranks;
import org.calm4j.engine.train.Example;
import org.calm4j.engine.train.References;
import org.calm4j.engine.train.SyncedReference;
import org.calm4j.engine.train.TrainSettings;
import org.calm4j.engine.train.Trainer;

/**
 * The reference's side of preference training: its log-probabilities, made before the first step or kept from before, or the copy that
 * follows the model.
 *
 * @param lm the starting model
 */
record ReferencePass(TrainStage stage, CausalLm lm, Ranks ranks) {
    /** Of the lines that some step takes; nothing where the loss asks for none, or the copy answers. */
    List<Trainer.Reference> ofLines(
            List<? extends Example> lines, TrainSettings settings, int steps, Progress progress) {
        if (stage.preference() == null) {
            return List.of();
        }
        if (stage.preference().referenceFree() || stage.syncs()) {
            return Collections.nCopies(lines.size(), Trainer.Reference.NONE);
        }
        boolean[] taken = Trainer.linesOfSteps(lines, settings, steps);
        int total = (stage.preference().twoLanguages() ? 2 : 1)
                * (int) IntStream.range(0, taken.length).filter(i -> taken[i]).count();
        progress.start("reference", total);
        try (Reference reference = Reference.open(lm, stage.preference())) {
            boolean share = settings.packing().sharePrompts();
            KeptLogProbs kept = kept(lines, taken, progress::say);
            List<Trainer.Reference> found =
                    References.of(ranks, reference.model(), lines, taken, settings.ldAlpha(), share, kept, done -> {
                        progress.at(done, "");
                        progress.mayStop("stopped before the first step");
                    });
            // Those that were kept are done at once.
            progress.at(total, "");
            return found;
        } finally {
            progress.end();
        }
    }

    Trainer.EvalLines heldOut(List<? extends Example> lines) {
        if (stage.preference() == null || lines.isEmpty()) {
            return new Trainer.EvalLines(lines, List.of());
        }
        if (stage.preference().referenceFree() || stage.syncs()) {
            return new Trainer.EvalLines(lines, Collections.nCopies(lines.size(), Trainer.Reference.NONE));
        }
        try (Reference reference = Reference.open(lm, stage.preference())) {
            return new Trainer.EvalLines(
                    lines,
                    References.of(
                            ranks,
                            reference.model(),
                            lines,
                            null,
                            stage.preference().tailShare(),
                            stage.preference().prompts().sharePrompts(),
                            kept(lines, null, line -> {}),
                            done -> {}));
        }
    }

    /** The copy that follows the model (TR-DPO); null without one. */
    SyncedReference synced() {
        if (!stage.syncs()) {
            return null;
        }
        try (Reference start = Reference.open(lm, stage.preference())) {
            return new SyncedReference(
                    start.model(),
                    stage.preference().reference().mixupAlpha(),
                    stage.preference().reference().syncSteps());
        }
    }

    /** Null where the reference's log-probabilities are not kept. */
    private KeptLogProbs kept(List<? extends Example> lines, boolean[] taken, Consumer<String> say) {
        if (!stage.preference().reference().precomputeRefLogProbs()) {
            return null;
        }
        List<Path> read = new ArrayList<>();
        read.add(
                stage.preference().referenceModel() == null
                        ? stage.model()
                        : stage.preference().referenceModel());
        if (stage.preference().referenceAdapter() != null) {
            read.add(stage.preference().referenceAdapter());
        }
        // Bits depend on the device, its vectors and its precision, but not on threads.
        Map<String, Object> settings = Map.of(
                "ld_alpha",
                stage.preference().tailShare(),
                "share_prompts",
                stage.preference().prompts().sharePrompts(),
                "device",
                SameOnAll.device(lm.backend()));
        return KeptLogProbs.of(read, settings, lines, taken, say);
    }
}
