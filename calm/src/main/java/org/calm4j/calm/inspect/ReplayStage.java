package org.calm4j.calm.inspect;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.calm4j.calm.data.DataFile;
import org.calm4j.calm.run.Progress;
import org.calm4j.calm.stage.TrainStage;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Jsonl;
import org.calm4j.engine.op.Backend;

/**
 * A step of a finished training run, taken once more from its {@code train_config.json}: to the bit from its nearest checkpoint, or, without
 * some of its lines, from the start, as a run would have gone that never had them.
 *
 * @param run the run's output folder
 * @param output the checkpoint folder that is written
 * @param withoutLanguage leaves out lines in this language, with either of two; null for none
 * @param withoutLines leaves out lines of the data, counted from 1
 */
public record ReplayStage(Path run, Path output, int step, String withoutLanguage, Set<Integer> withoutLines) {
    /** @param left lines that were trained on */
    public record Summary(int step, int lines, int left, String output) {}

    public Summary run(Backend backend, Progress progress) {
        if (Files.exists(output)) {
            throw CalmException.badInput(output, "exists; choose a folder that does not");
        }
        FinishedRun finished = FinishedRun.read(run);
        Path data = finished.data();
        List<DataFile.Item> items = DataFile.read(data);
        List<JsonNode> left = new ArrayList<>();
        for (int i = 0; i < items.size(); i++) {
            if (!withoutLines.contains(i + 1) && !isInLanguage(items.get(i).json())) {
                left.add(items.get(i).json());
            }
        }
        if (left.size() == items.size()) {
            if (withoutLanguage != null || !withoutLines.isEmpty()) {
                throw CalmException.badInput(data, "has no line that would be left out");
            }
            finished.stage(data, output).replay(backend, progress, new TrainStage.Again(run, step));
        } else {
            withoutSome(finished, left, backend, progress);
        }
        return new Summary(step, items.size(), left.size(), output.toString());
    }

    private void withoutSome(FinishedRun finished, List<JsonNode> left, Backend backend, Progress progress) {
        if (left.isEmpty()) {
            throw CalmException.badInput(finished.data(), "has no line that would be left");
        }
        try {
            Path some = Files.createTempFile("calm-replay", ".jsonl");
            try {
                Jsonl.write(some, left);
                finished.stage(some, output).replay(backend, progress, new TrainStage.Again(null, step));
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
