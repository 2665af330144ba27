package org.calm4j.calm.option;

import org.calm4j.engine.Setting;
import org.calm4j.engine.train.Schedule;

/** The learning rate of each step. */
@OptionRecord
public record RateOptions(
        @Option(value = "Peak learning rate; default ${DEFAULT-VALUE}.", label = "X", standard = "5e-5")
        double learningRate,

        @Option(
                value = "The learning rate after the warm-up; default ${DEFAULT-VALUE}.",
                standard = "linear",
                also = "lr_scheduler_type")
        Schedule.Kind lrScheduler,

        @Option(
                value = "Final rate of linear and cosine, as a share of the peak; default ${DEFAULT-VALUE}.",
                label = "X",
                standard = "0")
        double minLrRate,

        @Option(value = "Steps from 0 to the peak; default: none.", label = "N")
        Integer warmupSteps,

        @Option(value = "The same as a share of all steps; default ${DEFAULT-VALUE}.", label = "X", standard = "0")
        double warmupRatio) {
    public RateOptions {
        Setting.of("learning_rate").check(learningRate >= 0, "must be at least 0");
        Setting.of("min_lr_rate").check(minLrRate >= 0 && minLrRate <= 1, "must be from 0 to 1");
        Setting.of("warmup_steps").check(warmupSteps == null || warmupSteps >= 0, "must be at least 0");
        Setting.of("warmup_ratio").check(warmupRatio >= 0 && warmupRatio <= 1, "must be from 0 to 1");
    }

    int warmup(int steps) {
        return warmupSteps != null ? warmupSteps : (int) Math.ceil(warmupRatio * steps);
    }

    Schedule schedule(int steps) {
        return new Schedule(lrScheduler, learningRate, minLrRate, warmup(steps), steps);
    }
}
