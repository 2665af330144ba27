package org.calm4j.calm.inspect;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.calm4j.calm.data.DataFile;
import org.calm4j.calm.option.Options;
import org.calm4j.calm.option.PreferenceOptions;
import org.calm4j.calm.option.SavingOptions;
import org.calm4j.calm.option.TrainingOptions;
import org.calm4j.calm.run.Progress;
import org.calm4j.calm.stage.TrainStage;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Jsonl;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.train.TrainingFolder;

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
        if (!Files.exists(run.resolve(TrainingFolder.CONFIG))) {
            throw CalmException.badInput(
                    run, "is not the output folder of dpo, sft or pretrain: it has no " + TrainingFolder.CONFIG);
        }
        ObjectNode config = Json.read(run.resolve(TrainingFolder.CONFIG), ObjectNode.class);
        Path data = path(config, "data");
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
            stage(config, data).replay(backend, progress, new TrainStage.Again(run, step));
        } else {
            withoutSome(config, left, backend, progress);
        }
        return new Summary(step, items.size(), left.size(), output.toString());
    }

    private void withoutSome(ObjectNode config, List<JsonNode> left, Backend backend, Progress progress) {
        if (left.isEmpty()) {
            throw CalmException.badInput(path(config, "data"), "has no line that would be left");
        }
        try {
            Path some = Files.createTempFile("calm-replay", ".jsonl");
            try {
                Jsonl.write(some, left);
                stage(config, some).replay(backend, progress, new TrainStage.Again(null, step));
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

    private TrainStage stage(ObjectNode config, Path data) {
        String command = config.path("command").asText();
        boolean hasPairs = command.equals("dpo");
        Path model = path(config, "model");
        boolean fromNothing = Files.isRegularFile(model);
        return new TrainStage(
                command,
                fromNothing ? null : model,
                config.has("adapter") ? path(config, "adapter") : null,
                fromNothing ? model : null,
                data,
                output,
                options(config, TrainingOptions.class),
                hasPairs ? options(config, PreferenceOptions.class) : null,
                // What is resumed is compared with what it was made of.
                SavingOptions.every(0, true),
                config.path("seed").asLong());
    }

    /** The options that the run had in force. */
    private static <R extends Record> R options(ObjectNode config, Class<R> type) {
        Map<String, Object> given = new LinkedHashMap<>();
        config.properties().forEach(each -> {
            if (Options.of(type).knows(each.getKey())) {
                given.put(each.getKey(), each.getValue());
            }
        });
        return Options.make(type, given);
    }

    private Path path(ObjectNode config, String name) {
        if (!config.path(name).isTextual()) {
            throw CalmException.badInput(run.resolve(TrainingFolder.CONFIG), name + " is missing");
        }
        Path path = Path.of(config.path(name).asText());
        if (!Files.exists(path)) {
            throw CalmException.badInput(
                    run.resolve(TrainingFolder.CONFIG),
                    "the run's " + name + ", " + path + ", is gone; a replay reads it again");
        }
        return path;
    }
}
