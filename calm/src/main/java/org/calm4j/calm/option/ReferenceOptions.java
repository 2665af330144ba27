package org.calm4j.calm.option;

import org.calm4j.engine.Setting;

/** Whether the reference changes, and where its log-probabilities come from. */
@OptionRecord("Reference")
public record ReferenceOptions(
        @Option(
                value =
                        "Let the reference follow the model (TR-DPO). All weights are trained; the reference takes memory for as many, and a pass a step.",
                later = true)
        boolean syncRefModel,

        @Option(
                value = "Share of the model in the reference at each {sync_ref_model}, 0 to 1; default 0.6.",
                label = "X",
                later = true)
        Double refModelMixupAlpha,

        @Option(value = "Steps from one {sync_ref_model} to the next; default 512.", label = "N", later = true)
        Integer refModelSyncSteps,

        @Option(
                value =
                        "Keep the reference's log-probabilities in the cache folder; runs with the same reference, tokens and device read them.",
                later = true)
        boolean precomputeRefLogProbs) {
    public ReferenceOptions {
        Setting sync = Setting.of("sync_ref_model");
        Setting.of("precompute_ref_log_probs")
                .check(
                        !precomputeRefLogProbs || !syncRefModel,
                        "cannot be given with ",
                        sync,
                        ", which changes the reference on the way");
        Setting alpha = Setting.of("ref_model_mixup_alpha");
        Setting steps = Setting.of("ref_model_sync_steps");
        alpha.check(refModelMixupAlpha == null || syncRefModel, "needs ", sync);
        steps.check(refModelSyncSteps == null || syncRefModel, "needs ", sync);
        alpha.check(
                refModelMixupAlpha == null || refModelMixupAlpha >= 0 && refModelMixupAlpha <= 1,
                "must be from 0 to 1");
        steps.check(refModelSyncSteps == null || refModelSyncSteps > 0, "must be at least 1");
    }

    /** The share in force. */
    public double mixupAlpha() {
        return refModelMixupAlpha == null ? 0.6 : refModelMixupAlpha;
    }

    /** The steps in force. */
    public int syncSteps() {
        return refModelSyncSteps == null ? 512 : refModelSyncSteps;
    }
}
