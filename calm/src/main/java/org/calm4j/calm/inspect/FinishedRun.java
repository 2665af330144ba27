package org.calm4j.calm.inspect;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.calm4j.calm.option.Options;
import org.calm4j.calm.option.PreferenceOptions;
import org.calm4j.calm.option.SavingOptions;
import org.calm4j.calm.option.TrainingOptions;
import org.calm4j.calm.stage.TrainStage;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.JsonProblem;
import org.calm4j.engine.io.Jsonl;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.train.TrainingFolder;

/**
 * A finished training run, as its {@code train_config.json} tells.
 *
 * @param folder its output
 */
record FinishedRun(Path folder, ObjectNode config) {
    private static final YAMLMapper YAML = new YAMLMapper();
    /** Settings to those whose value in force follows from them. */
    private static final Map<String, String> FOLLOWS = Map.of(
            "loss_type", "loss_weights", "warmup_ratio", "warmup_steps", "max_steps", "epochs", "epochs", "max_steps");

    static FinishedRun read(Path folder) {
        if (!Files.exists(folder.resolve(TrainingFolder.CONFIG))) {
            throw CalmException.badInput(
                    folder, "is not the output folder of dpo, sft or pretrain: it has no " + TrainingFolder.CONFIG);
        }
        return new FinishedRun(folder, Json.read(folder.resolve(TrainingFolder.CONFIG), ObjectNode.class));
    }

    /** Where it ran, as {@link #device(Backend)} says it. */
    String device() {
        return config.path("device").asText();
    }

    static String device(Backend backend) {
        return backend.onHost() ? "cpu" : backend.describe();
    }

    /** The lines of its metrics.jsonl, by step. */
    Map<Integer, ObjectNode> metrics() {
        Path file = folder.resolve(TrainingFolder.METRICS);
        Map<Integer, ObjectNode> metrics = new HashMap<>();
        if (Files.exists(file)) {
            Jsonl.read(file, ObjectNode.class)
                    .forEach(line -> metrics.put(line.path("step").asInt(), line));
        }
        return metrics;
    }

    /**
     * The same with other settings. What followed from a setting that is changed follows anew.
     *
     * @param changes to text as in YAML
     * @throws CalmException wrong usage: a setting that this command does not have
     */
    FinishedRun with(Map<String, String> changes) {
        ObjectNode changed = config.deepCopy();
        changes.forEach((name, value) -> {
            boolean known = name.equals("seed")
                    || Options.of(TrainingOptions.class).knows(name)
                    || hasPairs() && Options.of(PreferenceOptions.class).knows(name);
            if (!known) {
                throw CalmException.usage(
                        Setting.of("set").at(name), ": " + command() + " has no setting of that name");
            }
            try {
                changed.set(name, YAML.readTree(value));
            } catch (JsonProcessingException e) {
                throw CalmException.usage(Setting.of("set").at(name), ": '" + value + "' is not YAML");
            }
        });
        FOLLOWS.forEach((name, following) -> {
            if (changes.containsKey(name) && !changes.containsKey(following)) {
                changed.remove(following);
            }
        });
        return new FinishedRun(folder, changed);
    }

    private String command() {
        return config.path("command").asText();
    }

    private boolean hasPairs() {
        return command().equals("dpo");
    }

    List<Path> data() {
        if (!config.path("data").isArray()) {
            return List.of(path("data"));
        }
        List<Path> files = new ArrayList<>();
        config.path("data").forEach(file -> files.add(path("data", file)));
        return files;
    }

    /** Lines of each of its files that it read; null for all. */
    Integer maxSamples() {
        return config.hasNonNull("max_samples")
                ? (Integer) config.path("max_samples").asInt()
                : null;
    }

    /** @throws CalmException bad input: the numbers of its lines are not those of its data */
    void checkLines() {
        if (config.hasNonNull("val_size")) {
            throw CalmException.badInput(
                    folder.resolve(TrainingFolder.CONFIG),
                    "the run held lines out (val_size), so that its lines have other numbers than its data's; this is not done yet");
        }
    }

    /**
     * The run once more.
     *
     * @param data its own, or some of them
     */
    TrainStage stage(List<Path> data, Path output) {
        Path model = path("model");
        boolean fromNothing = Files.isRegularFile(model);
        return new TrainStage(
                command(),
                fromNothing ? null : model,
                config.has("adapter") ? path("adapter") : null,
                fromNothing ? model : null,
                data,
                output,
                options(TrainingOptions.class),
                hasPairs() ? options(PreferenceOptions.class) : null,
                saving(),
                null,
                config.path("seed").asLong());
    }

    /** When it was evaluated, if anything followed from that, which a checkpoint then has. */
    private SavingOptions saving() {
        if (!config.has("metric_for_best_model")) {
            return SavingOptions.every(0, false);
        }
        if (!config.hasNonNull("val_size")) {
            path("eval_data");
        }
        return options(SavingOptions.class);
    }

    /** The options that the run had in force. */
    private <R extends Record> R options(Class<R> type) {
        Map<String, Object> given = new LinkedHashMap<>();
        config.properties().forEach(each -> {
            if (Options.of(type).knows(each.getKey())) {
                boolean one = Options.of(type).isList(each.getKey())
                        && each.getValue().isValueNode();
                given.put(each.getKey(), one ? List.of(each.getValue()) : each.getValue());
            }
        });
        try {
            return Options.make(type, given);
        } catch (IllegalArgumentException e) {
            String what =
                    e.getCause() instanceof JsonMappingException mapping ? JsonProblem.what(mapping) : e.getMessage();
            throw CalmException.usage(Setting.of("set"), ": a value does not fit: " + what);
        }
    }

    private Path path(String name) {
        return path(name, config.path(name));
    }

    private Path path(String name, JsonNode value) {
        if (!value.isTextual()) {
            throw CalmException.badInput(folder.resolve(TrainingFolder.CONFIG), name + " is missing");
        }
        Path path = Path.of(value.asText());
        if (!Files.exists(path)) {
            throw CalmException.badInput(
                    folder.resolve(TrainingFolder.CONFIG),
                    "the run's " + name + ", " + path + ", is gone; a replay reads it again");
        }
        return path;
    }
}
