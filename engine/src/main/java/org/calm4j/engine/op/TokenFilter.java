package org.calm4j.engine.op;

/**
 * Which of the next tokens may be drawn and how probable they become; names and order as in transformers: repetition penalty, temperature,
 * top-k, top-p, min-p.
 *
 * @param temperature 0 always takes the most probable token
 * @param topK only the k most probable; 0 for all
 * @param topP only the smallest set of most probable tokens that has this probability; 1 for all
 * @param minP only tokens with at least this share of the most probable one's probability; 0 for all
 * @param repetitionPenalty positive logits of seen tokens are divided by it, negative ones multiplied; 1 for none
 */
public record TokenFilter(double temperature, int topK, double topP, double minP, double repetitionPenalty) {}
