package org.calm4j.calm.stage;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.calm4j.calm.option.OptimizerOptions;
import org.calm4j.calm.option.Option;
import org.calm4j.calm.option.Options;
import org.calm4j.calm.option.PreferenceOptions;
import org.calm4j.calm.option.TrainingOptions;
import org.calm4j.calm.run.Progress;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.config.ConfigReader;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.train.Checkpoint;
import org.calm4j.engine.train.MemoryPlan;
import org.calm4j.engine.train.TrainSettings;
import org.calm4j.engine.train.TrainingFolder;
import org.calm4j.engine.train.TrainingMemory;
import org.calm4j.engine.train.TrainingSizes;
import org.calm4j.engine.train.division.Division;
import org.calm4j.engine.train.optim.OptimizerMemory;

/** Holds a training run against the memory before it starts: what may be chosen is chosen to fit, and what does not fit is refused. */
record TrainMemory(TrainStage stage, Division division) {
    /**
     * The stage with what is chosen to fit.
     *
     * @throws CalmException failed: it does not fit
     */
    TrainStage settled(CausalLm lm, TrainingSizes sizes, int steps, Progress progress) {
        TrainingMemory memory = memory(lm, sizes);
        long available = TrainingMemory.available(lm.backend());
        JsonNode before = chosenBefore();
        TrainStage kept = choosesMoments() ? keeping(before, memory, steps, available) : stage;
        TrainStage settled = choosesPasses() ? inPasses(before, kept, memory, steps, available) : kept;
        TrainSettings settings = settings(settled, steps);
        memory.check(settings, available);
        List<String> chosen = new ArrayList<>();
        if (choosesPasses()) {
            chosen.add("passes of " + settings.microBatchSize() + " lines");
        }
        if (choosesMoments()) {
            chosen.add("moments in " + settings.update().memory());
        }
        progress.say("calm: memory: " + memory.plan(settings)
                + (chosen.isEmpty() ? "" : "; " + String.join(" and ", chosen) + ", " + why(before, settings, memory)));
        return settled;
    }

    private boolean choosesPasses() {
        return stage.training().steps().microBatchSize() == Option.AUTO;
    }

    private boolean choosesMoments() {
        return stage.training().optimizer().optimizerMemory() == OptimizerOptions.Memory.AUTO;
    }

    private String why(JsonNode before, TrainSettings settings, TrainingMemory memory) {
        if (before != null) {
            return "as before";
        }
        long available = TrainingMemory.available(memory.backend());
        return settings.update().memory() == OptimizerMemory.F32
                ? "to fit into " + MemoryPlan.gigabytes(available)
                : "to fit: with moments in " + OptimizerMemory.F32 + " it is "
                        + MemoryPlan.gigabytes(memory.plan(settings.keeping(OptimizerMemory.F32))
                                .total()) + " of "
                        + MemoryPlan.gigabytes(available);
    }

    private TrainingMemory memory(CausalLm lm, TrainingSizes sizes) {
        PreferenceOptions preference = stage.preference();
        boolean scores = preference != null && !preference.referenceFree();
        TrainingMemory memory = TrainingMemory.of(lm, storedBytes(stage.model()), sizes, scores, division);
        if (preference == null) {
            return memory;
        }
        long own = storedBytes(preference.referenceModel()) + storedBytes(preference.referenceAdapter());
        if (stage.syncs()) {
            return memory.following(own);
        }
        return scores && own > 0 ? memory.referring(referenceShape(), own) : memory;
    }

    /** Null where the reference has the model's weights. */
    private ModelConfig referenceShape() {
        Path folder = stage.preference().referenceModel();
        return folder == null ? null : ConfigReader.read(folder.resolve("config.json"));
    }

    private TrainSettings settings(TrainStage stage, int steps) {
        return stage.training().settings(steps, stage.preference(), stage.seed());
    }

    /** @param before settings of the run that is resumed, which stay; null for none */
    private TrainStage keeping(JsonNode before, TrainingMemory memory, int steps, long available) {
        TrainSettings settings = settings(stage, steps);
        Object kind = before == null
                ? memory.optimizerMemory(
                        choosesPasses() ? settings.inPasses(1, settings.gradientCheckpointing()) : settings, available)
                : before.path("optimizer_memory").asText(OptimizerMemory.F32.toString());
        return with(stage, "optimizer_memory", kind.toString());
    }

    private TrainStage inPasses(JsonNode before, TrainStage stage, TrainingMemory memory, int steps, long available) {
        int lines = before == null ? 0 : before.path("micro_batch_size").asInt();
        return with(
                stage,
                "micro_batch_size",
                lines > 0 ? lines : memory.microBatchSize(settings(stage, steps), available));
    }

    private static TrainStage with(TrainStage stage, String option, Object value) {
        TrainingOptions chosen = Options.with(stage.training(), Map.of(option, value));
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

    private JsonNode chosenBefore() {
        Path before = stage.output().resolve(TrainingFolder.CONFIG);
        return stage.saving().resume()
                        && Files.exists(before)
                        && !Checkpoint.all(stage.output()).isEmpty()
                ? Json.read(before, JsonNode.class)
                : null;
    }

    /** Bytes of the weights in a model's or an adapter's folder; 0 without one. */
    private static long storedBytes(Path folder) {
        if (folder == null) {
            return 0;
        }
        try (Stream<Path> files = Files.list(folder)) {
            return files.filter(file -> file.toString().endsWith(".safetensors"))
                    .mapToLong(file -> file.toFile().length())
                    .sum();
        } catch (IOException e) {
            throw CalmException.unreadable(folder, e);
        }
    }

    /** Weights, gradients and moments alone may be too much, which is known before they are read. */
    void checkWeights(Backend backend, ModelConfig shape) {
        TrainingMemory memory = TrainingMemory.ofWeights(backend, shape, storedBytes(stage.model()), division);
        long available = TrainingMemory.available(backend);
        TrainSettings settings = settings(stage, 1);
        memory.check(
                choosesMoments() ? settings.keeping(memory.optimizerMemory(settings, available)) : settings, available);
    }
}
