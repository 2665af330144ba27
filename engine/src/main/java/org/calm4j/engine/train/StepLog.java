package org.calm4j.engine.train;

import com.fasterxml.jackson.annotation.JsonAnyGetter;
import com.fasterxml.jackson.annotation.JsonIgnore;
import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonPropertyOrder;
import com.fasterxml.jackson.annotation.JsonUnwrapped;
import java.util.Map;

/**
 * One line of metrics.jsonl; names as in TRL.
 *
 * @param step counted from 1
 * @param epoch passes through the data, 1 after the first
 * @param loss of the step's lines, replay and weights included, before the update
 * @param gradNorm global, before clipping
 * @param numTokens tokens trained on since the start
 * @param replayLoss the replayed documents' part of the loss, before its weight; null without replay
 * @param skippedSteps steps so far that changed nothing, since their loss or gradient was not finite; null if there were none
 * @param learningRates those of weights with their own, by the name of the group; null without
 * @param evalLoss mean loss of the evaluation lines after the update; null in steps without evaluation
 * @param preference null where no pairs are trained
 * @param evalPreference of the evaluation lines, its names with {@code eval_} before them
 * @param tokens what the logits say of the tokens
 * @param evalTokens of the evaluation lines
 * @param observed what an observer adds, by name
 */
@JsonInclude(value = JsonInclude.Include.CUSTOM, valueFilter = StepLog.Absent.class)
@JsonPropertyOrder({"step", "epoch", "loss", "grad_norm", "learning_rate", "num_tokens", "tokens_per_second"})
public record StepLog(
        int step,
        double epoch,
        double loss,
        @JsonProperty("grad_norm") double gradNorm,
        @JsonProperty("learning_rate") double learningRate,
        @JsonProperty("num_tokens") long numTokens,
        @JsonProperty("tokens_per_second") double tokensPerSecond,
        @JsonProperty("replay_loss") Double replayLoss,
        @JsonProperty("skipped_steps") Integer skippedSteps,
        @JsonProperty("learning_rates") Map<String, Double> learningRates,
        @JsonProperty("eval_loss") Double evalLoss,
        @JsonUnwrapped Preference preference,
        @JsonUnwrapped(prefix = "eval_") Preference evalPreference,
        @JsonUnwrapped TokenMetrics tokens,
        @JsonUnwrapped(prefix = "eval_") TokenMetrics evalTokens,
        @JsonAnyGetter Map<String, Object> observed) {

    /** Equals what a line leaves out: null, and numbers that JSON does not have. */
    static final class Absent {
        @Override
        public boolean equals(Object value) {
            return value == null || value instanceof Double number && !Double.isFinite(number);
        }

        @Override
        public int hashCode() {
            return 0;
        }
    }

    /** Whether the step changed nothing. */
    @JsonIgnore
    public boolean isSkipped() {
        return isSkipped(loss, gradNorm);
    }

    static boolean isSkipped(double loss, double gradNorm) {
        return !Double.isFinite(loss) || !Double.isFinite(gradNorm);
    }

    StepLog with(Evaluation evaluation) {
        return new StepLog(
                step,
                epoch,
                loss,
                gradNorm,
                learningRate,
                numTokens,
                tokensPerSecond,
                replayLoss,
                skippedSteps,
                learningRates,
                evaluation.loss,
                preference,
                evaluation.preference,
                tokens,
                evaluation.tokens,
                observed);
    }

    /**
     * Means over the evaluation lines.
     *
     * @param preference null where lines are no pairs
     */
    public record Evaluation(double loss, Preference preference, TokenMetrics tokens) {}

    /**
     * Means over a step's pairs; a reward is β times (log-probability − the reference's).
     *
     * @param consistency share of the questions in two languages whose chosen completion is the more probable one in both, or in neither; null
     *     with one language
     * @param kl the estimated divergence from the reference that kto holds rewards against; null with other losses
     */
    @JsonInclude(value = JsonInclude.Include.CUSTOM, valueFilter = Absent.class)
    public record Preference(
            @JsonProperty("rewards/chosen") double rewardsChosen,
            @JsonProperty("rewards/rejected") double rewardsRejected,
            @JsonProperty("rewards/margins") double margins,
            @JsonProperty("rewards/accuracies") double accuracies,
            @JsonProperty("logps/chosen") double logpsChosen,
            @JsonProperty("logps/rejected") double logpsRejected,
            Double consistency,
            Double kl) {}
}
