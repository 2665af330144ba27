package org.calm4j.engine.train;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;

/**
 * What a step's logits say of the tokens that it trains on, replayed documents aside; names as in TRL. A mean of nothing is NaN, which no line
 * of metrics.jsonl has.
 *
 * @param entropy mean over the tokens, in nats
 * @param meanTokenAccuracy share of the tokens that no other exceeds in probability; of pairs, those of the chosen completions
 * @param logitsChosen mean over the vocabulary and the tokens of chosen completions
 * @param logitsRejected the same of rejected ones
 */
@JsonInclude(value = JsonInclude.Include.CUSTOM, valueFilter = StepLog.Absent.class)
public record TokenMetrics(
        double entropy,
        @JsonProperty("mean_token_accuracy") double meanTokenAccuracy,
        @JsonProperty("logits/chosen") double logitsChosen,
        @JsonProperty("logits/rejected") double logitsRejected) {}
