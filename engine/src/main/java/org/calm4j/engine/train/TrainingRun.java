package org.calm4j.engine.train;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;
import org.calm4j.engine.io.AtomicFile;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Jsonl;
import org.calm4j.engine.ranks.Ranks;

/**
 * A training run on disk: steps, {@code metrics.jsonl}, checkpoints, and resuming from the newest of them.
 *
 * @param output the run's folder; metrics, checkpoints and finally the model are written there
 * @param weightsFile the file of a checkpoint that has the trained weights
 * @param identity all that decides what the steps compute
 * @param others further settings of the run, which a resumed one may change
 * @param saveSteps steps between checkpoints; 0 for none
 * @param saveTotalLimit how many of the newest checkpoints are kept, besides that of the best model; 0 for all
 * @param loggingSteps steps between lines of metrics.jsonl; the last step and those with an evaluation loss or something
 *     observed have one anyway
 */
public record TrainingRun(
        Path output,
        String weightsFile,
        RunIdentity identity,
        Map<String, Object> others,
        int steps,
        int saveSteps,
        int saveTotalLimit,
        EvaluationPlan evaluation,
        int loggingSteps,
        boolean resume) {
    private static final String METRICS = TrainingFolder.METRICS;
    private static final String DEVICE = "device";

    /** Who follows a run while it goes on. */
    @FunctionalInterface
    public interface Watcher {
        /** Before the step's checkpoint: after a kill in between the step is taken again. */
        void took(StepLog step);

        /** A step has its line in metrics.jsonl; before {@link #took}. */
        default void logged(StepLog step) {}

        /** A line for the user. */
        default void say(String line) {}

        /** Whether the run is to end here, with a checkpoint. */
        default boolean wantsToStop() {
            return false;
        }
    }

    /**
     * Takes the steps that are still to take, then writes the model into the output folder. Of ranks that train together all call this; rank 0
     * reads what is in the folder, and writes.
     *
     * @return whether all steps were taken: where the watcher stopped it, a checkpoint is left instead of the model
     */
    public boolean run(Trainer trainer, ModelWriter writer, Watcher watcher) {
        Ranks ranks = trainer.division().ranks();
        Checkpoint.Taken taken = prepare(trainer, watcher);
        try (Writer metrics = ranks.isFirst()
                ? Files.newBufferedWriter(output.resolve(METRICS), StandardOpenOption.CREATE, StandardOpenOption.APPEND)
                : Writer.nullWriter()) {
            boolean saved = true;
            while (taken.steps() < steps && !taken.best().endsRun(evaluation)) {
                if (isAny(ranks, watcher.wantsToStop())) {
                    if (!saved) {
                        save(taken, trainer, writer);
                    }
                    return false;
                }
                StepLog log = step(trainer, taken.steps());
                Integer before = taken.best().step();
                taken = taken.after(log, evaluation);
                if (isLogged(log)) {
                    metrics.write(Json.compact(log));
                    metrics.write('\n');
                    metrics.flush();
                    watcher.logged(log);
                }
                // A step whose checkpoint is there is not taken again.
                watcher.took(log);
                saved = isSaved(log.step())
                        || evaluation.keepsBest() && taken.best().isOf(log.step());
                if (saved) {
                    save(taken, trainer, writer);
                    if (ranks.isFirst() && before != null && taken.best().isOf(log.step()) && !isSaved(before)) {
                        // It was kept as the best one alone.
                        AtomicFile.deleteFolder(Checkpoint.folder(output, before));
                    }
                }
            }
        } catch (IOException | UncheckedIOException e) {
            throw CalmException.failed(output.resolve(METRICS) + ": " + e.getMessage(), e);
        }
        if (ranks.isFirst()) {
            finish(taken, trainer, writer, watcher);
        }
        return true;
    }

    /** A signal reaches ranks at different steps. */
    private static boolean isAny(Ranks ranks, boolean own) {
        double[] all = {own ? 1 : 0};
        ranks.sum(all);
        return all[0] > 0;
    }

    private StepLog step(Trainer trainer, int taken) {
        StepLog log = trainer.step(taken);
        return evaluation.isDue(log.step()) ? log.with(trainer.evaluate()) : log;
    }

    private boolean isLogged(StepLog log) {
        return log.evalLoss() != null
                || log.step() % loggingSteps == 0
                || log.step() == steps
                || !log.observed().isEmpty();
    }

    private boolean isSaved(int step) {
        return saveSteps > 0 && step % saveSteps == 0;
    }

    private void save(Checkpoint.Taken taken, Trainer trainer, ModelWriter writer) {
        if (trainer.division().ranks().isFirst()) {
            Checkpoint.save(Checkpoint.folder(output, taken.steps()), taken, trainer, identity, writer);
            Checkpoint.keep(output, saveTotalLimit, taken.best());
        }
        trainer.trained().optimizer().lend();
    }

    /** Writes the model: the best one where that is wanted, otherwise the last one. */
    private void finish(Checkpoint.Taken taken, Trainer trainer, ModelWriter writer, Watcher watcher) {
        BestModel best = taken.best();
        if (best.endsRun(evaluation)) {
            watcher.say(
                    "the run ends after step " + taken.steps() + ": eval_" + evaluation.metric() + " was best at step "
                            + best.step() + ", " + best.metric() + ", and not better in the " + best.waited()
                            + " evaluations since");
        }
        if (evaluation.keepsBest() && best.step() != null) {
            watcher.say("the model is that of step " + best.step() + ", with eval_" + evaluation.metric() + " "
                    + best.metric());
            if (best.step() != taken.steps()) {
                Checkpoint.loadModel(Checkpoint.folder(output, best.step()), trainer, weightsFile);
            }
        }
        trainer.asModel(() -> writer.write(output, null));
        if (trainer.trained().average() != null) {
            Trained trained = trainer.trained();
            trained.average()
                    .inPlaceOf(
                            trained.weights(),
                            () -> AtomicFile.folder(
                                    output.resolve(TrainingFolder.AVERAGE), folder -> writer.write(folder, null)));
        }
    }

    /**
     * Writes the checkpoint of a step as the run would have left it there, from its last one before that.
     *
     * @param from the output of a run of the same settings and inputs, whose checkpoints are used; null to take all steps anew
     * @param step from 1
     * @param checkpoint the folder that is written
     */
    public void replay(Trainer trainer, ModelWriter writer, Path from, int step, Path checkpoint, Watcher watcher) {
        Checkpoint.Taken taken = reach(trainer, from, Checkpoint.Taken.NOTHING, step, watcher);
        Checkpoint.save(checkpoint, taken, trainer, identity, writer);
    }

    /**
     * The same where this run leaves another at one of its checkpoints, whatever the other's settings and inputs: only the steps after it
     * are this run's.
     *
     * @param start the other's checkpoint, with as many trained weights and moments
     */
    public void branch(Trainer trainer, ModelWriter writer, Path start, int step, Path checkpoint, Watcher watcher) {
        Checkpoint.Taken taken = goOn(trainer, Checkpoint.load(start, trainer, null, weightsFile), step, watcher);
        Checkpoint.save(checkpoint, taken, trainer, identity, writer);
    }

    /**
     * Brings a trainer to where the run was after a step, from its last checkpoint before that.
     *
     * @param from as for {@link #replay}
     * @param taken steps that the trainer has taken
     * @param step from 0, the start; at least as many as were taken
     */
    public void reach(Trainer trainer, Path from, int taken, int step, Watcher watcher) {
        reach(trainer, from, new Checkpoint.Taken(taken, BestModel.NONE), step, watcher);
    }

    private Checkpoint.Taken reach(Trainer trainer, Path from, Checkpoint.Taken before, int step, Watcher watcher) {
        Path start = from == null ? null : Checkpoint.newest(from, step);
        Checkpoint.Taken taken = start != null && Checkpoint.step(start) > before.steps()
                ? Checkpoint.load(start, trainer, identity, weightsFile)
                : before;
        return goOn(trainer, taken, step, watcher);
    }

    private Checkpoint.Taken goOn(Trainer trainer, Checkpoint.Taken taken, int step, Watcher watcher) {
        while (taken.steps() < step) {
            StepLog log = evaluation.decides() ? step(trainer, taken.steps()) : trainer.step(taken.steps());
            taken = taken.after(log, evaluation);
            watcher.took(log);
        }
        return taken;
    }

    private Checkpoint.Taken prepare(Trainer trainer, Watcher watcher) {
        Ranks ranks = trainer.division().ranks();
        Path checkpoint = newest(ranks);
        if (!resume && ranks.isFirst()) {
            Checkpoint.refuse(output);
        }
        Checkpoint.Taken taken = checkpoint == null
                ? Checkpoint.Taken.NOTHING
                : Checkpoint.load(checkpoint, trainer, identity, weightsFile);
        if (taken.steps() > steps) {
            throw CalmException.badInput(
                    checkpoint, "has more steps than the " + steps + " of this run; choose another ", Setting.OUTPUT);
        }
        if (taken.best().couldHaveEnded(evaluation)) {
            throw CalmException.badInput(
                    checkpoint,
                    "made with early_stopping_patience " + taken.best().patience() + ", now it is "
                            + evaluation.patience() + "; it can only grow, or start again in another ",
                    Setting.OUTPUT);
        }
        if (ranks.isFirst()) {
            begin(checkpoint, taken, watcher);
        }
        return taken;
    }

    /** Other ranks ask rank 0: on a disk that machines share they may not see yet what is there. */
    private Path newest(Ranks ranks) {
        Path newest = ranks.isFirst() ? Checkpoint.newest(output) : null;
        double[] step = {newest == null ? 0 : Checkpoint.step(newest)};
        ranks.sum(step);
        return step[0] == 0 ? newest : Checkpoint.folder(output, (int) step[0]);
    }

    private void begin(Path checkpoint, Checkpoint.Taken taken, Watcher watcher) {
        Integer best = taken.best().step();
        if (evaluation.keepsBest() && best != null && !Files.isDirectory(Checkpoint.folder(output, best))) {
            throw CalmException.badInput(
                    Checkpoint.folder(output, best),
                    "is missing: it has the best model so far; start again in another ",
                    Setting.OUTPUT);
        }
        if (resume) {
            sayHow(checkpoint, watcher);
        }
        Map<String, Object> inForce = new LinkedHashMap<>(identity.settings());
        inForce.putAll(others);
        Json.write(output.resolve(TrainingFolder.CONFIG), inForce);
        Path metrics = output.resolve(METRICS);
        if (Files.exists(metrics)) {
            // Steps after the checkpoint are taken again.
            List<Map<String, Object>> kept = Jsonl.readMaps(metrics).stream()
                    .filter(line -> step(line) <= taken.steps())
                    .toList();
            Jsonl.write(metrics, kept);
        }
    }

    private void sayHow(Path checkpoint, Watcher watcher) {
        if (checkpoint == null) {
            watcher.say(output + " has no checkpoint to go on from; the run begins at its first step");
            return;
        }
        watcher.say("goes on from " + checkpoint);
        Path config = output.resolve(TrainingFolder.CONFIG);
        String before = Files.exists(config)
                ? Json.read(config, JsonNode.class).path(DEVICE).asText(null)
                : null;
        if (before != null && others.containsKey(DEVICE) && !before.equals(others.get(DEVICE))) {
            watcher.say("the steps so far were taken on " + before + ", the others are on " + others.get(DEVICE)
                    + "; their last digits are not those of one device");
        }
    }

    private static int step(Map<String, Object> line) {
        return line.get("step") instanceof Number step ? step.intValue() : 0;
    }
}
