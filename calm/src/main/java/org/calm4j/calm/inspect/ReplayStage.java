package org.calm4j.calm.inspect;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.calm4j.calm.data.DataFile;
import org.calm4j.calm.run.Progress;
import org.calm4j.calm.stage.TrainStage.Again;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;
import org.calm4j.engine.io.AtomicFile;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Jsonl;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.train.StepLog;

/**
 * A step of a finished training run, taken once more from its {@code train_config.json}: to the bit from its nearest checkpoint, or, without
 * some of its lines or with other settings, from the start, as a run would have gone that was always so, or from a step on.
 *
 * @param run the run's output folder
 * @param output the checkpoint folder that is written
 * @param withoutLanguage leaves out lines in this language, with either of two; null for none
 * @param withoutLines leaves out lines of the data, counted from 1
 * @param fromStep the run's own steps until the change: its weights and moments, to the bit; 0 changes it from the start
 * @param changes of the run's settings, by their names in {@code train_config.json}, to values as in YAML
 */
public record ReplayStage(
        Path run,
        Path output,
        int step,
        String withoutLanguage,
        Set<Integer> withoutLines,
        int fromStep,
        Map<String, String> changes) {
    private static final Setting FROM_STEP = Setting.of("from_step");

    public ReplayStage {
        FROM_STEP.check(
                fromStep == 0 || fromStep > 0 && fromStep < step, "must be at least 0, and below ", Setting.of("step"));
        FROM_STEP.check(
                fromStep == 0 || withoutLanguage != null || !withoutLines.isEmpty() || !changes.isEmpty(),
                "is where a change begins, and nothing is changed");
    }

    /**
     * @param left lines that were trained on
     * @param exact whether all losses and gradient norms that are known of the run came out again; null where none were compared
     * @param why it is not exact, in words; null where it is
     * @param difference what the change made; null without one
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record Summary(
            int step, int lines, int left, String output, Boolean exact, String why, ReplayDifference difference) {}

    public Summary run(Backend backend, Progress progress) {
        if (Files.exists(output)) {
            throw CalmException.badInput(output, "exists; choose a folder that does not");
        }
        FinishedRun finished = FinishedRun.read(run);
        FinishedRun changed = finished.with(changes);
        List<Path> data = finished.data();
        List<DataFile.Item> items = DataFile.read(data, finished.maxSamples());
        for (int line : withoutLines) {
            Setting.of("without_lines")
                    .check(line >= 1 && line <= items.size(), "has " + line + "; the data have 1 to " + items.size());
        }
        List<JsonNode> left = new ArrayList<>();
        for (int i = 0; i < items.size(); i++) {
            if (!withoutLines.contains(i + 1) && !isInLanguage(items.get(i).json())) {
                left.add(items.get(i).json());
            }
        }
        boolean without = withoutLanguage != null || !withoutLines.isEmpty();
        if (without) {
            finished.checkLines();
        }
        if (without && left.size() == items.size()) {
            throw CalmException.badInput(data.getFirst(), "has no line that would be left out");
        }
        if (left.isEmpty()) {
            throw CalmException.badInput(data.getFirst(), "has no line that would be left");
        }
        Own own = new Own(finished, backend);
        ReplayDifference difference = null;
        if (!without && changes.isEmpty()) {
            own.replay(step, output, progress);
        } else {
            StepLog[] last = new StepLog[1];
            own.at(fromStep, progress, start -> {
                Again again = new Again(null, start, step, log -> last[0] = log);
                if (without) {
                    withoutSome(changed, left, backend, progress, again);
                } else {
                    changed.stage(data, output).replay(backend, progress, again);
                }
            });
            difference = own.difference(last[0], progress);
        }
        if (own.why != null) {
            progress.say("calm: " + run + " is not replayed to the bit: " + own.why);
        }
        return new Summary(step, items.size(), left.size(), output.toString(), own.exact(), own.why, difference);
    }

    /** The run as it was, once more. */
    private final class Own {
        private final FinishedRun finished;
        private final Backend backend;
        private final Map<Integer, ObjectNode> metrics;
        private int compared;
        private String why;
        private ObjectNode last;

        Own(FinishedRun finished, Backend backend) {
            this.finished = finished;
            this.backend = backend;
            metrics = finished.metrics();
            last = metrics.get(step);
        }

        Boolean exact() {
            return why != null ? Boolean.FALSE : compared > 0 ? Boolean.TRUE : null;
        }

        void replay(int until, Path to, Progress progress) {
            finished.stage(finished.data(), to).replay(backend, progress, new Again(run, null, until, this::compare));
        }

        private void compare(StepLog log) {
            ObjectNode now = Json.mapper().valueToTree(log);
            if (log.step() == step) {
                last = now;
            }
            ObjectNode was = metrics.get(log.step());
            if (was == null || why != null) {
                return;
            }
            compared++;
            for (String name : List.of("loss", "grad_norm")) {
                if (!was.path(name).equals(now.path(name))) {
                    why = "step " + log.step() + " had " + name + " " + was.path(name) + ", and now it is "
                            + now.path(name) + "; " + reason();
                    return;
                }
            }
        }

        /**
         * Does something with the run's checkpoint of a step.
         *
         * @param then gets the folder, or null for the start
         */
        void at(int then, Progress progress, Consumer<Path> does) {
            if (then == 0) {
                does.accept(null);
                return;
            }
            withCheckpoint(then, progress, does);
        }

        /** The run's own, or where it was not kept one that is made again and deleted afterwards. */
        private void withCheckpoint(int of, Progress progress, Consumer<Path> does) {
            String name = "checkpoint-" + of;
            // What the step logged may be known of taking it alone.
            if (Files.isDirectory(run.resolve(name)) && (of != step || last != null)) {
                does.accept(run.resolve(name));
                return;
            }
            Path made = output.resolveSibling("." + output.getFileName() + ".own");
            if (Files.exists(made)) {
                throw CalmException.badInput(made, "is in the way of the run's own checkpoint; remove it");
            }
            try {
                replay(of, made.resolve(name), progress);
                does.accept(made.resolve(name));
            } finally {
                AtomicFile.deleteFolder(made);
            }
        }

        private String reason() {
            String now = FinishedRun.device(backend);
            return now.equals(finished.device())
                    ? "the data, the model or the program have changed since, or the processor's vectors are wider or narrower"
                    : "it ran on " + finished.device() + ", this is " + now + ", and other devices round otherwise";
        }

        /** Against the run's checkpoint. */
        ReplayDifference difference(StepLog changed, Progress progress) {
            ReplayDifference[] difference = new ReplayDifference[1];
            ObjectNode metrics = Json.mapper().valueToTree(changed);
            withCheckpoint(step, progress, own -> difference[0] = ReplayDifference.of(own, output, last, metrics));
            return difference[0];
        }
    }

    private void withoutSome(
            FinishedRun finished, List<JsonNode> left, Backend backend, Progress progress, Again again) {
        try {
            Path some = Files.createTempFile("calm-replay", ".jsonl");
            try {
                Jsonl.write(some, left);
                finished.stage(List.of(some), output).replay(backend, progress, again);
            } finally {
                Files.deleteIfExists(some);
            }
        } catch (IOException e) {
            throw CalmException.failed("the lines that are left cannot be written: " + e.getMessage(), e);
        }
    }

    private boolean isInLanguage(JsonNode line) {
        return withoutLanguage != null
                && Stream.of("language", "language_1", "language_2")
                        .anyMatch(name -> withoutLanguage.equals(line.path(name).asText(null)));
    }
}
