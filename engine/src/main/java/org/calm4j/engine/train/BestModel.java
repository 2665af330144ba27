package org.calm4j.engine.train;

import com.fasterxml.jackson.annotation.JsonProperty;

/**
 * The best evaluation of a run so far; names as in transformers' TrainerState.
 *
 * @param metric null before the first evaluation
 * @param step null before the first evaluation
 * @param waited evaluations since one was better by the threshold
 * @param patience how many would have ended the run; 0 for any number
 */
record BestModel(
        @JsonProperty("best_metric") Double metric,
        @JsonProperty("best_global_step") Integer step,
        @JsonProperty("early_stopping_patience_counter") int waited,
        @JsonProperty("early_stopping_patience") int patience) {
    static final BestModel NONE = new BestModel(null, null, 0, 0);

    /** @param value that is not finite is never better */
    BestModel after(EvaluationPlan plan, int step, double value) {
        boolean better = Double.isFinite(value)
                && (metric == null || (plan.greaterIsBetter() ? value > metric : value < metric));
        boolean counts = better && (metric == null || Math.abs(value - metric) > plan.threshold());
        return new BestModel(
                better ? (Double) value : metric,
                better ? (Integer) step : this.step,
                counts ? 0 : waited + 1,
                plan.patience());
    }

    /** Whether the same evaluations could have ended a run of this plan before. */
    boolean couldHaveEnded(EvaluationPlan plan) {
        return !equals(NONE) && plan.patience() > 0 && (patience == 0 || plan.patience() < patience);
    }

    boolean endsRun(EvaluationPlan plan) {
        return plan.patience() > 0 && waited >= plan.patience();
    }

    boolean isOf(int step) {
        return this.step != null && this.step == step;
    }
}
