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
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Jsonl;

/**
 * A training run on disk: steps, {@code metrics.jsonl}, checkpoints, and resuming from the newest of them.
 *
 * @param output the run's folder; metrics, checkpoints and finally the model are written there
 * @param weightsFile the file of a checkpoint that has the trained weights
 * @param identity all that decides what the steps compute
 * @param others further settings of the run, which a resumed one may change
 * @param saveSteps steps between checkpoints; 0 for none
 * @param evalSteps steps between losses of the trainer's evaluation lines; 0 for none
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
        int evalSteps,
        int loggingSteps,
        boolean resume) {
    private static final String METRICS = TrainingFolder.METRICS;
    private static final String DEVICE = "device";

    /** Who follows a run while it goes on. */
    @FunctionalInterface
    public interface Watcher {
        void took(StepLog step);

        /** A line for the user. */
        default void say(String line) {}

        /** Whether the run is to end here, with a checkpoint. */
        default boolean wantsToStop() {
            return false;
        }
    }

    /**
     * Takes the steps that are still to take, then writes the model into the output folder.
     *
     * @return whether all steps were taken: where the watcher stopped it, a checkpoint is left instead of the model
     */
    public boolean run(Trainer trainer, ModelWriter writer, Watcher watcher) {
        int first = prepare(trainer, watcher);
        try (Writer metrics = Files.newBufferedWriter(
                output.resolve(METRICS), StandardOpenOption.CREATE, StandardOpenOption.APPEND)) {
            for (int step = first; step < steps; step++) {
                if (watcher.wantsToStop()) {
                    if (step > first && !isSaved(step)) {
                        save(step, trainer, writer);
                    }
                    return false;
                }
                StepLog log = trainer.step(step);
                boolean evaluates = evalSteps > 0 && log.step() % evalSteps == 0;
                if (evaluates) {
                    log = log.withEvalLoss(trainer.evalLoss());
                }
                if (evaluates
                        || log.step() % loggingSteps == 0
                        || log.step() == steps
                        || !log.observed().isEmpty()) {
                    metrics.write(Json.compact(log));
                    metrics.write('\n');
                    metrics.flush();
                }
                if (isSaved(log.step())) {
                    save(log.step(), trainer, writer);
                }
                watcher.took(log);
            }
        } catch (IOException | UncheckedIOException e) {
            throw CalmException.failed(output.resolve(METRICS) + ": " + e.getMessage(), e);
        }
        writer.write(output, null);
        return true;
    }

    private boolean isSaved(int step) {
        return saveSteps > 0 && step % saveSteps == 0;
    }

    private void save(int step, Trainer trainer, ModelWriter writer) {
        Checkpoint.save(Checkpoint.folder(output, step), step, trainer, identity, writer);
    }

    /**
     * Writes the checkpoint of a step as the run would have left it there, from its last one before that.
     *
     * @param from the output of a run of the same settings and inputs, whose checkpoints are used; null to take all steps anew
     * @param step from 1
     * @param checkpoint the folder that is written
     */
    public void replay(Trainer trainer, ModelWriter writer, Path from, int step, Path checkpoint, Watcher watcher) {
        reach(trainer, from, 0, step, watcher);
        Checkpoint.save(checkpoint, step, trainer, identity, writer);
    }

    /**
     * Brings a trainer to where the run was after a step, from its last checkpoint before that.
     *
     * @param from as for {@link #replay}
     * @param taken steps that the trainer has taken
     * @param step from 0, the start; at least as many as were taken
     */
    public void reach(Trainer trainer, Path from, int taken, int step, Watcher watcher) {
        Path start = from == null ? null : Checkpoint.newest(from, step);
        int next = start != null && Checkpoint.step(start) > taken
                ? Checkpoint.load(start, trainer, identity, weightsFile)
                : taken;
        for (; next < step; next++) {
            watcher.took(trainer.step(next));
        }
    }

    /** Returns the steps taken before. */
    private int prepare(Trainer trainer, Watcher watcher) {
        Path checkpoint = Checkpoint.newest(output);
        if (checkpoint != null && !resume) {
            throw CalmException.badInput(
                    output,
                    "has checkpoints of an earlier run; continue with ",
                    Setting.of("resume"),
                    ", or choose another ",
                    Setting.OUTPUT);
        }
        int taken = checkpoint == null ? 0 : Checkpoint.load(checkpoint, trainer, identity, weightsFile);
        if (taken > steps) {
            throw CalmException.badInput(
                    checkpoint, "has more steps than the " + steps + " of this run; choose another ", Setting.OUTPUT);
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
                    .filter(line -> step(line) <= taken)
                    .toList();
            Jsonl.write(metrics, kept);
        }
        return taken;
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
