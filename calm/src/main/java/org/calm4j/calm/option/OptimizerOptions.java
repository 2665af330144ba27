package org.calm4j.calm.option;

import com.fasterxml.jackson.annotation.JsonValue;
import java.util.Map;
import org.calm4j.engine.Setting;
import org.calm4j.engine.op.AdamW;
import org.calm4j.engine.train.optim.Muon;
import org.calm4j.engine.train.optim.Optimizer;
import org.calm4j.engine.train.optim.OptimizerMemory;
import org.calm4j.engine.train.optim.ParameterGroups;
import org.calm4j.engine.train.optim.PlainAdamW;
import org.calm4j.engine.train.optim.ScheduleFreeAdamW;
import org.calm4j.engine.train.optim.UpdateSettings;

/** How a step uses the gradient. */
@OptionRecord("Optimizer")
public record OptimizerOptions(
        @Option(
                value =
                        "What changes the weights: ${COMPLETION-CANDIDATES}; default ${DEFAULT-VALUE}. muon is for the matrices of blocks and "
                                + "adapters and leaves the rest to AdamW; schedule_free_adamw needs {lr_scheduler} constant.",
                label = "KIND",
                standard = "adamw",
                also = "optim",
                later = true)
        Optimizer.Kind optimizer,

        @Option(
                value = "Decoupled weight decay, for weights of two dimensions or more; default ${DEFAULT-VALUE}.",
                label = "X",
                standard = "0")
        double weightDecay,

        @Option(value = "Default ${DEFAULT-VALUE}.", label = "X", standard = "0.9")
        double adamBeta1,

        @Option(value = "Default ${DEFAULT-VALUE}.", label = "X", standard = "0.999")
        double adamBeta2,

        @Option(value = "Default ${DEFAULT-VALUE}.", label = "X", standard = "1e-8")
        double adamEpsilon,

        @Option(
                value =
                        "Maximum global norm of gradients, which are clipped to it; 0: no clipping; default ${DEFAULT-VALUE}.",
                label = "X",
                standard = "1")
        double maxGradNorm,

        @Option(
                value =
                        "Steps in a row whose loss or gradient is not finite, and which therefore change nothing; one more ends the run; default ${DEFAULT-VALUE}.",
                label = "N",
                standard = "10",
                later = true)
        int maxSkippedSteps,

        @Option(
                value =
                        "Peak rates of some weights, by a regular expression that is found in their names, such as 'embed_tokens|wte=1e-5'; "
                                + "repeated for each; the first that fits holds.",
                label = "REGEX=X",
                standard = "",
                later = true)
        Map<String, Double> learningRates,

        @Option(value = "The same for {weight_decay}.", label = "REGEX=X", standard = "", later = true)
        Map<String, Double> weightDecays,

        @Option(
                value =
                        "LoRA+: the learning rate of B (and of DoRA's magnitudes) over that of A; default ${DEFAULT-VALUE}.",
                label = "X",
                standard = "1",
                later = true)
        double loraplusLrRatio,

        @Option(
                value =
                        "Keep a moving average of the weights with this decay, such as 0.999, and write it to ema/ in the output folder; "
                                + "0 (default): none.",
                label = "X",
                standard = "0",
                later = true)
        double emaDecay,

        @Option(
                value =
                        "How AdamW's moments are kept: ${COMPLETION-CANDIDATES}; default ${DEFAULT-VALUE}. bf16 halves them, 8bit quarters them; auto: "
                                + "the first of them that fits into memory.",
                label = "KIND",
                standard = "f32",
                later = true)
        Memory optimizerMemory,

        @Option(
                value = "With muon, the peak learning rate of what it leaves to AdamW; default: {learning_rate}.",
                label = "X",
                later = true)
        Double adamwLearningRate,

        @Option(
                value = "With muon, the momentum; default ${DEFAULT-VALUE}.",
                label = "X",
                standard = "" + OptimizerOptions.MUON_MOMENTUM,
                later = true)
        double muonMomentum,

        @Option(
                value =
                        "With muon, how rates depend on a matrix's sides: ${COMPLETION-CANDIDATES}; default ${DEFAULT-VALUE}, which goes with "
                                + "AdamW's rates; original with such as 0.02.",
                label = "KIND",
                standard = "match_rms_adamw",
                later = true)
        Muon.AdjustRate adjustLrFn,

        @Option(
                value =
                        "With schedule_free_adamw, the power of the step in the average's weights; default ${DEFAULT-VALUE}.",
                label = "X",
                standard = "0",
                later = true)
        double scheduleFreeR,

        @Option(
                value = "The same of the learning rate, so that the warm-up counts less; default ${DEFAULT-VALUE}.",
                label = "X",
                standard = "" + OptimizerOptions.WEIGHT_LR_POWER,
                later = true)
        double weightLrPower) {
    private static final double MUON_MOMENTUM = 0.95;
    private static final double WEIGHT_LR_POWER = 2;

    public OptimizerOptions {
        Setting.of("weight_decay").check(weightDecay >= 0, "must be at least 0");
        Setting.of("adam_beta1").check(adamBeta1 >= 0 && adamBeta1 < 1, "must be from 0 to below 1");
        Setting.of("adam_beta2").check(adamBeta2 >= 0 && adamBeta2 < 1, "must be from 0 to below 1");
        Setting.of("adam_epsilon").check(adamEpsilon > 0, "must be above 0");
        Setting.of("max_grad_norm").check(maxGradNorm >= 0, "must be at least 0");
        learningRates.values().forEach(rate -> Setting.of("learning_rates").check(rate >= 0, "must be at least 0"));
        weightDecays.values().forEach(decay -> Setting.of("weight_decays").check(decay >= 0, "must be at least 0"));
        Setting.of("loraplus_lr_ratio").check(loraplusLrRatio > 0, "must be above 0");
        Setting.of("ema_decay").check(emaDecay >= 0 && emaDecay < 1, "must be from 0 to below 1");
        Setting.of("max_skipped_steps").check(maxSkippedSteps >= 0, "must be at least 0");
        Setting.of("adamw_learning_rate")
                .check(adamwLearningRate == null || adamwLearningRate >= 0, "must be at least 0");
        Setting.of("muon_momentum").check(muonMomentum >= 0 && muonMomentum < 1, "must be from 0 to below 1");
        Setting.of("schedule_free_r").check(scheduleFreeR >= 0, "must be at least 0");
        Setting.of("weight_lr_power").check(weightLrPower >= 0, "must be at least 0");
        checkOf(Optimizer.Kind.MUON, optimizer, "adamw_learning_rate", adamwLearningRate == null);
        checkOf(Optimizer.Kind.MUON, optimizer, "muon_momentum", muonMomentum == MUON_MOMENTUM);
        checkOf(Optimizer.Kind.MUON, optimizer, "adjust_lr_fn", adjustLrFn == Muon.AdjustRate.MATCH_RMS_ADAMW);
        checkOf(Optimizer.Kind.SCHEDULE_FREE_ADAMW, optimizer, "schedule_free_r", scheduleFreeR == 0);
        checkOf(Optimizer.Kind.SCHEDULE_FREE_ADAMW, optimizer, "weight_lr_power", weightLrPower == WEIGHT_LR_POWER);
    }

    private static void checkOf(Optimizer.Kind needed, Optimizer.Kind optimizer, String option, boolean isStandard) {
        Setting.of(option)
                .check(
                        isStandard || optimizer == needed,
                        "is for ",
                        Setting.of("optimizer").at(needed));
    }

    /** @see OptimizerMemory */
    public enum Memory {
        F32(OptimizerMemory.F32),
        BF16(OptimizerMemory.BF16),
        EIGHT_BIT(OptimizerMemory.EIGHT_BIT),
        /** To be chosen when it is known what there is. */
        AUTO(null);

        private final OptimizerMemory kind;

        Memory(OptimizerMemory kind) {
            this.kind = kind;
        }

        @Override
        @JsonValue
        public String toString() {
            return kind == null ? "auto" : kind.toString();
        }
    }

    UpdateSettings update() {
        return new UpdateSettings(
                maxSkippedSteps,
                new ParameterGroups(learningRates, weightDecays, loraplusLrRatio),
                emaDecay,
                optimizerMemory.kind == null ? OptimizerMemory.F32 : optimizerMemory.kind,
                switch (optimizer) {
                    case ADAMW -> new PlainAdamW();
                    case MUON -> new Muon(muonMomentum, adjustLrFn, adamwLearningRate);
                    case SCHEDULE_FREE_ADAMW -> new ScheduleFreeAdamW(scheduleFreeR, weightLrPower);
                });
    }

    AdamW adamW() {
        return new AdamW(adamBeta1, adamBeta2, adamEpsilon);
    }
}
