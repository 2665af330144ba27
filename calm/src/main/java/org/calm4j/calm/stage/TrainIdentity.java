package org.calm4j.calm.stage;

import com.fasterxml.jackson.core.type.TypeReference;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.calm4j.calm.option.TrainingOptions;
import org.calm4j.calm.run.Fingerprint;
import org.calm4j.calm.run.SameOnAll;
import org.calm4j.engine.io.AtomicFile;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.ranks.Ranks;
import org.calm4j.engine.train.EvaluationPlan;
import org.calm4j.engine.train.RunIdentity;
import org.calm4j.engine.train.division.Division;
import org.calm4j.engine.train.optim.Schedule;

/**
 * What makes a training run the same as another: the settings that decide its bits, and the content of what it reads; beside it
 * what train_config.json records for the reader alone.
 */
record TrainIdentity(TrainStage stage) {
    /** Settings that do not touch the arithmetic: what is kept and what is computed again has the same bits, and limits may grow. */
    private static final Set<String> FREE = Set.of(
            "gradient_checkpointing",
            "early_stopping_patience",
            "precompute_ref_log_probs",
            "max_skipped_steps",
            "streaming");

    /** @param schedule of the steps, which a resumed run may make longer */
    RunIdentity of(int steps, Division division, Schedule schedule) {
        return new RunIdentity(deciding(steps, division), inputs(), schedule, TrainingOptions.ofSchedule(), FREE);
    }

    /** Ranks that train together must do the same. */
    static void agree(Ranks ranks, RunIdentity identity, Backend backend) {
        Map<String, String> facts = new LinkedHashMap<>();
        identity.settings().forEach((name, value) -> facts.put(name, String.valueOf(value)));
        identity.inputs().forEach((name, digest) -> facts.put("the content of " + name, digest));
        facts.put("the device", SameOnAll.device(backend));
        ranks.agree(facts);
    }

    /** Every setting that decides what the steps compute, with its default if it was not given. */
    private Map<String, Object> deciding(int steps, Division division) {
        Map<String, Object> all = new LinkedHashMap<>();
        all.put("command", stage.name());
        all.put("model", String.valueOf(stage.model() == null ? stage.config() : stage.model()));
        all.put("adapter", stage.adapter());
        all.put("data", stage.data().size() == 1 ? stage.data().getFirst() : stage.data());
        all.put("seed", stage.seed());
        all.put("steps", steps);
        all.putAll(asJson(stage.training()));
        all.putAll(stage.training().inForce(steps));
        // Runs of one part are those of versions that knew no parts.
        all.put(Division.PARTS, division.parts() == 1 ? null : division.parts());
        // Of the processes that run now; others may go on without it.
        all.put("zero", null);
        if (stage.preference() != null) {
            all.putAll(asJson(stage.preference()));
            all.putAll(stage.preference().inForce());
        }
        EvaluationPlan evaluation = stage.saving().evaluation();
        if (evaluation.decides()) {
            all.put("eval_steps", evaluation.steps());
            all.put("metric_for_best_model", evaluation.metric());
            all.put("greater_is_better", evaluation.greaterIsBetter());
            all.put("load_best_model_at_end", evaluation.keepsBest());
            all.put("early_stopping_patience", stage.saving().earlyStoppingPatience());
            all.put("early_stopping_threshold", evaluation.threshold());
        }
        all.values().removeIf(Objects::isNull);
        return all;
    }

    /** Digests of all inputs: whenever it is stopped, the run writes a checkpoint. */
    private Map<String, String> inputs() {
        Map<String, String> inputs = new LinkedHashMap<>();
        Map<String, List<Path>> read = new LinkedHashMap<>();
        Path tokenizer = stage.config() == null ? null : stage.config().resolveSibling("tokenizer.json");
        read.put(
                "model",
                stage.model() != null
                        ? List.of(stage.model())
                        : Files.exists(tokenizer) ? List.of(stage.config(), tokenizer) : List.of(stage.config()));
        read.put("adapter", given(stage.adapter()));
        read.put("data", stage.data());
        read.put("replay", stage.training().replay().files());
        read.put(
                "eval_data",
                given(stage.saving().evalSteps() == 0 ? null : stage.saving().evalData()));
        if (stage.preference() != null) {
            read.put("reference_model", given(stage.preference().referenceModel()));
            read.put("reference_adapter", given(stage.preference().referenceAdapter()));
        }
        read.forEach((setting, files) -> {
            // What is not a file, such as a pipe, can be read once only.
            if (!files.isEmpty() && files.stream().noneMatch(AtomicFile::isStream)) {
                inputs.put(
                        setting,
                        Fingerprint.of(files.stream().map(Fingerprint::of).toList()));
            }
        });
        return inputs;
    }

    Map<String, Object> others(Backend backend) {
        Map<String, Object> others = new LinkedHashMap<>();
        others.put("save_steps", stage.saving().saveSteps());
        if (stage.saving().saveTotalLimit() != null) {
            others.put("save_total_limit", stage.saving().saveTotalLimit());
        }
        others.put("eval_steps", stage.saving().evalSteps());
        if (stage.saving().evalData() != null) {
            others.put("eval_data", stage.saving().evalData());
        }
        others.put("logging_steps", stage.saving().loggingSteps());
        if (stage.saving().generationSteps() > 0) {
            others.put("generation_steps", stage.saving().generationSteps());
            others.put("generation_prompts", stage.saving().generationPrompts());
        }
        if (stage.inspect() != null) {
            others.put("inspect", stage.inspect());
        }
        // The number of threads would make equal runs look different.
        others.put("device", backend.onHost() ? "cpu" : backend.describe());
        return others;
    }

    private static Map<String, Object> asJson(Record options) {
        return Json.mapper().convertValue(options, new TypeReference<Map<String, Object>>() {});
    }

    private static List<Path> given(Path path) {
        return path == null ? List.of() : List.of(path);
    }
}
