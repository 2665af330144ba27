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
 * some of its lines or with other settings, from the start, as a run would have gone that was always so.
 *
 * @param run the run's output folder
 * @param output the checkpoint folder that is written
 * @param withoutLanguage leaves out lines in this language, with either of two; null for none
 * @param withoutLines leaves out lines of the data, counted from 1
 * @param changes of the run's settings, by their names in {@code train_config.json}, to values as in YAML
 */
public record ReplayStage(
        Path run,
        Path output,
        int step,
        String withoutLanguage,
        Set<Integer> withoutLines,
        Map<String, String> changes) {
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
        Path data = finished.data();
        List<DataFile.Item> items = DataFile.read(data);
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
        if (without && left.size() == items.size()) {
            throw CalmException.badInput(data, "has no line that would be left out");
        }
        if (left.isEmpty()) {
            throw CalmException.badInput(data, "has no line that would be left");
        }
        Own own = new Own(finished, backend);
        ReplayDifference difference = null;
        if (!without && changes.isEmpty()) {
            own.replay(output, progress);
        } else {
            StepLog[] last = new StepLog[1];
            Again again = new Again(null, step, log -> last[0] = log);
            if (without) {
                withoutSome(changed, left, backend, progress, again);
            } else {
                changed.stage(data, output).replay(backend, progress, again);
            }
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

        void replay(Path to, Progress progress) {
            finished.stage(finished.data(), to).replay(backend, progress, new Again(run, step, this::compare));
        }

        private void compare(StepLog log) {
            last = Json.mapper().valueToTree(log);
            ObjectNode was = metrics.get(log.step());
            if (was == null || why != null) {
                return;
            }
            compared++;
            for (String name : List.of("loss", "grad_norm")) {
                if (!was.path(name).equals(last.path(name))) {
                    why = "step " + log.step() + " had " + name + " " + was.path(name) + ", and now it is "
                            + last.path(name) + "; " + reason();
                    return;
                }
            }
        }

        private String reason() {
            String now = FinishedRun.device(backend);
            return now.equals(finished.device())
                    ? "the data, the model or the program have changed since, or the processor's vectors are wider or narrower"
                    : "it ran on " + finished.device() + ", this is " + now + ", and other devices round otherwise";
        }

        /** Against the run's checkpoint, which is made again where it was not kept. */
        ReplayDifference difference(StepLog changed, Progress progress) {
            Path kept = run.resolve("checkpoint-" + step);
            ObjectNode metrics = Json.mapper().valueToTree(changed);
            if (Files.isDirectory(kept) && last != null) {
                return ReplayDifference.of(kept, output, last, metrics);
            }
            Path made = output.resolveSibling("." + output.getFileName() + ".own");
            if (Files.exists(made)) {
                throw CalmException.badInput(made, "is in the way of the run's own checkpoint; remove it");
            }
            try {
                replay(made, progress);
                return ReplayDifference.of(made, output, last, metrics);
            } finally {
                AtomicFile.deleteFolder(made);
            }
        }
    }

    private void withoutSome(
            FinishedRun finished, List<JsonNode> left, Backend backend, Progress progress, Again again) {
        try {
            Path some = Files.createTempFile("calm-replay", ".jsonl");
            try {
                Jsonl.write(some, left);
                finished.stage(some, output).replay(backend, progress, again);
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
