package org.calm4j.calm.stage;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.stream.Stream;
import org.calm4j.calm.option.Option;
import org.calm4j.calm.option.Options;
import org.calm4j.calm.option.TrainingOptions;
import org.calm4j.calm.run.Progress;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.train.Checkpoint;
import org.calm4j.engine.train.Division;
import org.calm4j.engine.train.TrainSettings;
import org.calm4j.engine.train.TrainingFolder;
import org.calm4j.engine.train.TrainingMemory;
import org.calm4j.engine.train.TrainingSizes;

/** Holds a training run against the memory before it starts: what may be chosen is chosen to fit, and what does not fit is refused. */
record TrainMemory(TrainStage stage, Division division) {
    /**
     * The stage with what is chosen to fit.
     *
     * @throws CalmException failed: it does not fit
     */
    TrainStage settled(CausalLm lm, TrainingSizes sizes, int steps, Progress progress) {
        boolean scores = stage.preference() != null && !stage.preference().referenceFree();
        TrainingMemory weights = TrainingMemory.of(lm, storedBytes(), sizes, scores, division);
        TrainingMemory memory = stage.syncs() ? weights.following() : weights;
        long available = TrainingMemory.available(lm.backend());
        TrainSettings given = stage.training().settings(steps, stage.preference(), stage.seed());
        boolean chooses = stage.training().steps().microBatchSize() == Option.AUTO;
        TrainStage settled = chooses ? inPasses(chosenBefore(), memory, given, available) : stage;
        TrainSettings settings = settled.training().settings(steps, stage.preference(), stage.seed());
        memory.check(settings, available);
        progress.say("calm: memory: " + memory.plan(settings)
                + (chooses ? "; passes of " + settings.microBatchSize() + " lines, to fit" : ""));
        return settled;
    }

    /** @param before lines of a pass of the run that is resumed, which stay; 0 for none */
    private TrainStage inPasses(int before, TrainingMemory memory, TrainSettings settings, long available) {
        int lines = before > 0 ? before : memory.microBatchSize(settings, available);
        TrainingOptions chosen = Options.with(stage.training(), Map.of("micro_batch_size", lines));
        return new TrainStage(
                stage.name(),
                stage.model(),
                stage.adapter(),
                stage.config(),
                stage.data(),
                stage.output(),
                chosen,
                stage.preference(),
                stage.saving(),
                stage.inspect(),
                stage.seed());
    }

    private int chosenBefore() {
        Path before = stage.output().resolve(TrainingFolder.CONFIG);
        return stage.saving().resume()
                        && Files.exists(before)
                        && !Checkpoint.all(stage.output()).isEmpty()
                ? Json.read(before, JsonNode.class).path("micro_batch_size").asInt()
                : 0;
    }

    /** Bytes of the model's weights in its folder; 0 for a new model. */
    private long storedBytes() {
        if (stage.model() == null) {
            return 0;
        }
        try (Stream<Path> files = Files.list(stage.model())) {
            return files.filter(file -> file.toString().endsWith(".safetensors"))
                    .mapToLong(file -> file.toFile().length())
                    .sum();
        } catch (IOException e) {
            throw CalmException.unreadable(stage.model(), e);
        }
    }

    /** Weights, gradients and moments alone may be too much, which is known before they are read. */
    void checkWeights(Backend backend, ModelConfig shape) {
        TrainingMemory.ofWeights(backend, shape, storedBytes(), division)
                .check(
                        stage.training().settings(1, stage.preference(), stage.seed()),
                        TrainingMemory.available(backend));
    }
}
