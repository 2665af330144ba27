package org.calm4j.calm.option;

import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.calm4j.engine.Setting;
import org.calm4j.engine.train.TrainSettings;

/** The options that decide what sft, pretrain and dpo learn from their data. */
@OptionRecord("Memory and order")
public record TrainingOptions(
        StepOptions steps,
        DataOptions data,
        RateOptions rate,
        OptimizerOptions optimizer,
        LoraOptions lora,

        @Option("Use less memory, at the cost of one more forward pass.")
        boolean gradientCheckpointing,

        @Option("Take the lines in file order.") boolean noShuffle,

        ReplayOptions replay,
        DivisionOptions division) {
    /** Names of what acts through {@link TrainSettings#schedule} and the number of steps alone. */
    public static Set<String> ofSchedule() {
        Set<String> names = new HashSet<>(Options.of(RateOptions.class).names());
        names.addAll(Set.of("steps", "max_steps", "epochs"));
        return names;
    }

    /** By name, the value in force of an option that was not given; null for an option that another one replaces. */
    public Map<String, Object> inForce(int steps) {
        Map<String, Object> inForce = new HashMap<>();
        inForce.putAll(rate.inForce(steps));
        inForce.put("lora_alpha", lora.alpha());
        inForce.put("epochs", this.steps.maxSteps() != null ? null : this.steps.epochs());
        return inForce;
    }

    /**
     * Finds before anything is read what the optimizer does not go with.
     *
     * @throws org.calm4j.engine.CalmException wrong usage
     */
    public void check() {
        boolean divided = division.zero() != null && division.zero() == 1;
        optimizer.update().optimizer().check(optimizer.update(), optimizer.adamW(), rate.lrScheduler(), divided);
    }

    /** @param preference how pairs are trained on; null if the data are documents */
    public TrainSettings settings(int steps, PreferenceOptions preference, long seed) {
        Setting.of("batch_size")
                .check(
                        this.steps.batchSize() > 1 || preference == null || !preference.readsMismatched(),
                        "must be at least 2 with ",
                        Setting.of("loss_type").at("kto"),
                        ": its estimate of the divergence takes completions from other lines");
        return new TrainSettings(
                this.steps.batchSize(),
                this.steps.microBatchSize(),
                !noShuffle,
                rate.schedule(steps),
                optimizer.adamW(),
                optimizer.weightDecay(),
                optimizer.maxGradNorm(),
                preference == null ? null : preference.loss(),
                preference == null ? null : preference.consistencyLoss(),
                preference == null ? null : preference.unpairedLoss(),
                preference == null ? 0 : preference.strength(),
                preference == null ? 1 : preference.tailShare(),
                replay.files().isEmpty() ? 0 : replay.replayBatchSize(),
                replay.replayWeight(),
                gradientCheckpointing,
                seed,
                optimizer.update(),
                data.packing(preference == null ? null : preference.prompts()));
    }
}
