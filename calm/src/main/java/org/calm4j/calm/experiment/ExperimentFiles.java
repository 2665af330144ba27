package org.calm4j.calm.experiment;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.calm4j.calm.data.Prediction;
import org.calm4j.calm.data.Samples;
import org.calm4j.calm.metric.Evaluation;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Jsonl;

/** What the stages of an experiment left, read back. */
record ExperimentFiles(ExperimentConfig config) {
    Path file(String name) {
        return config.output().resolve(name);
    }

    /** @param name of its folder, such as {@code held-out-after} */
    Evaluation evaluation(String name) {
        Evaluation evaluation = Json.read(file(name).resolve("eval.json"), Evaluation.class);
        return groupsAreInIds(read(name))
                ? evaluation.withIntervals(
                        Evaluation.of(predictions(name), config.seed()).intervals())
                : evaluation;
    }

    List<Prediction> predictions(String name) {
        List<Prediction> lines = read(name);
        return !groupsAreInIds(lines)
                ? lines
                : lines.stream()
                        .map(line -> new Prediction(
                                line.id(),
                                line.language(),
                                line.answer(),
                                line.prediction(),
                                fact(line.id(), null),
                                line.confidence()))
                        .toList();
    }

    private List<Prediction> read(String name) {
        return Jsonl.read(file(name).resolve("predictions.jsonl"), Prediction.class);
    }

    /** Empty if the model wrote none, as with ranked choices. */
    List<Samples> responses(String name) {
        Path responses = file(name).resolve("responses.jsonl");
        return Files.exists(responses) ? Jsonl.read(responses, Samples.class) : List.of();
    }

    // An earlier version of the program wrote no groups; in its file of what is known, ids begin with the fact.
    private boolean groupsAreInIds(List<Prediction> lines) {
        return config.knowledge() != null && lines.stream().allMatch(line -> line.group() == null);
    }

    /** The fact that a question is about, as the file of what is known names it: its group, or its id up to the last hyphen. */
    static String fact(String id, String group) {
        int cut = id.lastIndexOf('-');
        return group != null ? group : cut < 0 ? id : id.substring(0, cut);
    }
}
