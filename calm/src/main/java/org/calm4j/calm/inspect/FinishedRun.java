package org.calm4j.calm.inspect;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.calm4j.calm.option.Options;
import org.calm4j.calm.option.PreferenceOptions;
import org.calm4j.calm.option.SavingOptions;
import org.calm4j.calm.option.TrainingOptions;
import org.calm4j.calm.stage.TrainStage;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.train.TrainingFolder;

/**
 * A finished training run, as its {@code train_config.json} tells.
 *
 * @param folder its output
 */
record FinishedRun(Path folder, ObjectNode config) {
    static FinishedRun read(Path folder) {
        if (!Files.exists(folder.resolve(TrainingFolder.CONFIG))) {
            throw CalmException.badInput(
                    folder, "is not the output folder of dpo, sft or pretrain: it has no " + TrainingFolder.CONFIG);
        }
        return new FinishedRun(folder, Json.read(folder.resolve(TrainingFolder.CONFIG), ObjectNode.class));
    }

    Path data() {
        return path("data");
    }

    /**
     * The run once more.
     *
     * @param data its own, or some of them
     */
    TrainStage stage(Path data, Path output) {
        String command = config.path("command").asText();
        boolean hasPairs = command.equals("dpo");
        Path model = path("model");
        boolean fromNothing = Files.isRegularFile(model);
        return new TrainStage(
                command,
                fromNothing ? null : model,
                config.has("adapter") ? path("adapter") : null,
                fromNothing ? model : null,
                data,
                output,
                options(TrainingOptions.class),
                hasPairs ? options(PreferenceOptions.class) : null,
                saving(),
                config.path("seed").asLong());
    }

    /** When it was evaluated, if anything followed from that, which a checkpoint then has. */
    private SavingOptions saving() {
        if (!config.has("metric_for_best_model")) {
            return SavingOptions.every(0, false);
        }
        path("eval_data");
        return options(SavingOptions.class);
    }

    /** The options that the run had in force. */
    private <R extends Record> R options(Class<R> type) {
        Map<String, Object> given = new LinkedHashMap<>();
        config.properties().forEach(each -> {
            if (Options.of(type).knows(each.getKey())) {
                given.put(each.getKey(), each.getValue());
            }
        });
        return Options.make(type, given);
    }

    private Path path(String name) {
        if (!config.path(name).isTextual()) {
            throw CalmException.badInput(folder.resolve(TrainingFolder.CONFIG), name + " is missing");
        }
        Path path = Path.of(config.path(name).asText());
        if (!Files.exists(path)) {
            throw CalmException.badInput(
                    folder.resolve(TrainingFolder.CONFIG),
                    "the run's " + name + ", " + path + ", is gone; a replay reads it again");
        }
        return path;
    }
}
