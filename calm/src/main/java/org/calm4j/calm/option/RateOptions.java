package org.calm4j.calm.option;

import java.util.HashMap;
import java.util.Map;
import org.calm4j.engine.Setting;
import org.calm4j.engine.train.optim.Schedule;

/** The learning rate of each step: every option here acts through {@link #schedule} alone. */
@OptionRecord("Learning rate")
public record RateOptions(
        @Option(value = "Peak learning rate; default ${DEFAULT-VALUE}.", label = "X", standard = "5e-5")
        double learningRate,

        @Option(
                value = "The learning rate after the warm-up: ${COMPLETION-CANDIDATES}; default ${DEFAULT-VALUE}.",
                label = "KIND",
                standard = "linear",
                also = "lr_scheduler_type")
        Schedule.Kind lrScheduler,

        @Option(
                value =
                        "Final rate of linear, the cosines and warmup_stable_decay, as a share of the peak; default ${DEFAULT-VALUE}.",
                label = "X",
                standard = "0",
                also = "min_lr_ratio")
        double minLrRate,

        @Option(value = "The same as a rate.", label = "X", later = true)
        Double minLr,

        @Option(
                value = "Final rate of polynomial; default ${DEFAULT-VALUE}.",
                label = "X",
                standard = "1e-7",
                later = true)
        double lrEnd,

        @Option(value = "Power of polynomial; default ${DEFAULT-VALUE}.", label = "X", standard = "1", later = true)
        double power,

        @Option(
                value = "How often cosine_with_restarts falls from the peak; default ${DEFAULT-VALUE}.",
                label = "N",
                standard = "1",
                later = true)
        int numCycles,

        @Option(
                value = "The last steps, in which warmup_stable_decay falls; default: a tenth of all.",
                label = "N",
                later = true)
        Integer numDecaySteps,

        @Option(
                value = "How it falls: ${COMPLETION-CANDIDATES}; default ${DEFAULT-VALUE}.",
                label = "KIND",
                standard = "cosine",
                later = true)
        Schedule.Decay decayType,

        @Option(value = "Steps from 0 to the peak; default: none.", label = "N")
        Integer warmupSteps,

        @Option(value = "The same as a share of all steps; default ${DEFAULT-VALUE}.", label = "X", standard = "0")
        double warmupRatio) {
    private static final int DECAY_SHARE = 10;

    public RateOptions {
        Setting.of("learning_rate").check(learningRate >= 0, "must be at least 0");
        Setting.of("min_lr_rate").check(minLrRate >= 0 && minLrRate <= 1, "must be from 0 to 1");
        Setting.of("min_lr")
                .check(minLr == null || minLr >= 0 && minLr <= learningRate, "must be from 0 to the learning rate");
        Setting.of("min_lr").check(minLr == null || minLrRate == 0, "excludes ", Setting.of("min_lr_rate"));
        Setting.of("lr_scheduler")
                .check(
                        lrScheduler != Schedule.Kind.COSINE_WITH_MIN_LR || minLr != null || minLrRate > 0,
                        "cosine_with_min_lr needs ",
                        Setting.of("min_lr"),
                        " or ",
                        Setting.of("min_lr_rate"));
        Setting.of("lr_end")
                .check(
                        lrScheduler != Schedule.Kind.POLYNOMIAL || lrEnd >= 0 && lrEnd < learningRate,
                        "must be from 0 to below the learning rate");
        Setting.of("power").check(power > 0, "must be above 0");
        Setting.of("num_cycles").check(numCycles >= 1, "must be at least 1");
        Setting.of("num_decay_steps").check(numDecaySteps == null || numDecaySteps >= 0, "must be at least 0");
        Setting.of("warmup_steps").check(warmupSteps == null || warmupSteps >= 0, "must be at least 0");
        Setting.of("warmup_ratio").check(warmupRatio >= 0 && warmupRatio <= 1, "must be from 0 to 1");
    }

    int warmup(int steps) {
        return warmupSteps != null ? warmupSteps : (int) Math.ceil(warmupRatio * steps);
    }

    private int decay(int steps) {
        return numDecaySteps != null ? numDecaySteps : Math.ceilDiv(steps, DECAY_SHARE);
    }

    /** By name, the value in force of an option that was not given. */
    Map<String, Object> inForce(int steps) {
        Map<String, Object> inForce = new HashMap<>();
        inForce.put("warmup_steps", warmup(steps));
        if (lrScheduler == Schedule.Kind.WARMUP_STABLE_DECAY) {
            inForce.put("num_decay_steps", decay(steps));
        }
        return inForce;
    }

    Schedule schedule(int steps) {
        Double end = lrScheduler == Schedule.Kind.POLYNOMIAL ? (Double) lrEnd : minLr;
        return new Schedule(
                lrScheduler,
                learningRate,
                end == null || learningRate == 0 ? minLrRate : end / learningRate,
                power,
                warmup(steps),
                decay(steps),
                decayType,
                steps,
                lrScheduler == Schedule.Kind.COSINE_WITH_RESTARTS ? numCycles : 0);
    }
}
