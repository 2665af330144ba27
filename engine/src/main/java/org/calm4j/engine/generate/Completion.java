package org.calm4j.engine.generate;

/**
 * The model's continuation of a prompt.
 *
 * @param text of the tokens without special ones, cut before a stop string; null where the model has no tokenizer
 * @param tokens all drawn tokens, including an end-of-sequence token and those of a stop string
 * @param logProbs natural log of each token's probability under the model: at temperature 1, before penalty and filters
 */
public record Completion(String text, int[] tokens, double[] logProbs, FinishReason finishReason) {
    public double logProb() {
        double sum = 0;
        for (double logProb : logProbs) {
            sum += logProb;
        }
        return sum;
    }

    /** Whether the model or a stop string ended it, not the limit on tokens. */
    public boolean ended() {
        return finishReason != FinishReason.LENGTH;
    }
}
