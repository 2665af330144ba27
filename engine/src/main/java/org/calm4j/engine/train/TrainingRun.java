package org.calm4j.engine.train;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Jsonl;

/**
 * A training run on disk: steps, {@code metrics.jsonl}, checkpoints, and resuming from the newest of them.
 *
 * @param output the run's folder; metrics, checkpoints and finally the model are written there
 * @param weightsFile the file of a checkpoint that has the trained weights
 * @param settings all that decides what the steps compute; a resumed run must have equal ones
 * @param inputs digests of the files and folders that settings name, by the setting's name: a resumed run must have the same content, under
 *     whatever name
 * @param others further settings of the run
 * @param saveSteps steps between checkpoints; 0 for none
 * @param evalSteps steps between losses of the trainer's evaluation lines; 0 for none
 * @param loggingSteps steps between lines of metrics.jsonl; the last step and those with an evaluation loss or something
 *     observed have one anyway
 */
public record TrainingRun(
        Path output,
        String weightsFile,
        Map<String, Object> settings,
        Map<String, String> inputs,
        Map<String, Object> others,
        int steps,
        int saveSteps,
        int evalSteps,
        int loggingSteps,
        boolean resume) {
    private static final String METRICS = TrainingFolder.METRICS;

    /** Takes the steps that are still to take, then writes the model into the output folder. */
    public void run(Trainer trainer, ModelWriter writer, Consumer<StepLog> listener) {
        int first = prepare(trainer);
        try (Writer metrics = Files.newBufferedWriter(
                output.resolve(METRICS), StandardOpenOption.CREATE, StandardOpenOption.APPEND)) {
            for (int step = first; step < steps; step++) {
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
                if (saveSteps > 0 && log.step() % saveSteps == 0) {
                    Checkpoint.save(
                            Checkpoint.folder(output, log.step()), log.step(), trainer, settings, inputs, writer);
                }
                listener.accept(log);
            }
        } catch (IOException | UncheckedIOException e) {
            throw CalmException.failed(output.resolve(METRICS) + ": " + e.getMessage(), e);
        }
        writer.write(output, null);
    }

    /**
     * Writes the checkpoint of a step as the run would have left it there, from its last one before that.
     *
     * @param from the output of a run of the same settings and inputs, whose checkpoints are used; null to take all steps anew
     * @param step from 1
     * @param checkpoint the folder that is written
     */
    public void replay(
            Trainer trainer, ModelWriter writer, Path from, int step, Path checkpoint, Consumer<StepLog> listener) {
        Path start = from == null ? null : Checkpoint.newest(from, step);
        int taken = start == null ? 0 : Checkpoint.load(start, trainer, settings, inputs, weightsFile);
        for (int next = taken; next < step; next++) {
            listener.accept(trainer.step(next));
        }
        Checkpoint.save(checkpoint, step, trainer, settings, inputs, writer);
    }

    /** Returns the steps taken before. */
    private int prepare(Trainer trainer) {
        Path checkpoint = Checkpoint.newest(output);
        if (checkpoint != null && !resume) {
            throw CalmException.badInput(
                    output,
                    "has checkpoints of an earlier run; continue with ",
                    Setting.of("resume"),
                    ", or choose another ",
                    Setting.OUTPUT);
        }
        int taken = checkpoint == null ? 0 : Checkpoint.load(checkpoint, trainer, settings, inputs, weightsFile);
        Map<String, Object> inForce = new LinkedHashMap<>(settings);
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

    private static int step(Map<String, Object> line) {
        return line.get("step") instanceof Number step ? step.intValue() : 0;
    }
}
